//! The API: one typed pipeline behind every face. A face (gRPC now, REST later)
//! decodes a request, makes a [`RequestContext`] and calls a verb; a verb runs the
//! stages in their one order.
//!
//! ```text
//! authentication ─► flow control ─► authorisation ─► decode ─► mutating admission ─►
//! defaulting ─► validation ─► quota ─► propose ─► audit
//! ```

pub mod authentication;
pub mod authorizer;
pub mod clock;
pub mod context;
pub mod grpc;
mod pipeline;
mod server;
pub mod service_account;
pub mod store;
pub mod system_objects;
pub mod testing;
mod verbs;
mod versioned;

pub use context::{RequestContext, User};
pub use server::{ApiServer, Settings};
pub use verbs::{
    Binding, DeleteOptions, ListOptions, Page, Patch, Propagation, Target, WatchItem, WatchOptions,
    WatchStream,
};

#[cfg(test)]
mod tests;
