//! The apiserver: one pipeline for every request, whatever face it came through.
//!
//! ```text
//!  grpc/ and rest/     ─► authentication ─► authorisation ─► flow control ─► verb
//!                                                                            │
//!    ┌───────────────────────────────────────────────────────────────────────┘
//!    ▼   writes                                                    reads: State
//!  decode ─► mutating admission ─► defaulting ─► validation ─► quota ─► propose ─► audit
//! ```
//!
//! A write is *decided* purely, from one applied [`xebec_state::State`], as a
//! transaction with preconditions; `pipeline/propose.rs` proposes it and decides again
//! when the state moved in between. A read takes a barrier and then a snapshot.

mod allocation;
pub mod authentication;
mod authorizer;
pub mod clock;
mod connection;
mod context;
mod continue_token;
mod depth;
pub mod grpc;
mod history;
mod managed_fields;
mod metadata;
pub mod metrics;
mod options;
mod pipeline;
pub mod pod_streams;
mod request;
pub mod rest;
mod server;
pub mod service_account;
mod settings;
pub mod store;
mod stored;
pub mod system_objects;
mod target;
pub mod testing;
mod verbs;

pub use authorizer::{Attributes, Authorizer};
pub use context::{
    AUTHENTICATED_GROUP, DEFAULT_TIMEOUT, FieldValidation, MASTERS_GROUP, NODE_USER_PREFIX, NODES_GROUP,
    RequestContext, User, Warnings,
};
pub use request::{
    Binding, DeleteOptions, ListOptions, Page, Patch, Propagation, Verb, WatchEvent, WatchKind, WatchOptions,
    WatchStream,
};
pub use server::ApiServer;
pub use settings::{ServiceRange, ServiceRangeError, Settings};
pub use store::{Store, StoreError};
pub use target::Target;

#[cfg(test)]
mod tests;
