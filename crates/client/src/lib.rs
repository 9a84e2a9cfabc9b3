//! The client that everything outside the masters uses: `ctl`, agents, and system pods.
//!
//! A [`Client`] speaks to several masters as if they were one: any of them answers, and when
//! one stops answering the next is asked, with back-off, until an overall deadline. What is
//! repeated and what is not follows from what is known about the first try: a create is
//! repeated only where it certainly did not happen. A [`Cache`] keeps a collection at hand
//! by list and watch.

mod backoff;
mod bearer;
mod cache;
mod call;
mod client;
mod connector;
mod credentials;
mod failure;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod in_pod;
pub mod kubeconfig;
mod pin;
mod pool;
mod read;
mod resource_name;
mod server;
mod watch;
mod write;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use bearer::Bearer;
pub use cache::{Cache, Change, Selection};
pub use client::{Client, Settings};
pub use credentials::{Credentials, Identity, TlsError, Trust};
pub use in_pod::{InPod, InPodError};
pub use kubeconfig::Kubeconfig;
pub use pool::Channel;
pub use read::{ListParams, ObjectList};
pub use resource_name::ResourceName;
pub use server::{Server, ServerError};
pub use watch::{Event, WatchParams, WatchStream};
pub use write::{DeleteParams, Patch, Propagation};
pub use xebec_api::error::{ApiError, Reason};
