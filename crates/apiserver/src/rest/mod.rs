//! The Kubernetes REST face: a codec over the same verbs as `grpc/`.
//!
//! ```text
//!  request ─► caller (who asks; may they see this path) ─► a resource's path ─► resources
//!                          │                                                  │
//!                          ├─► discovery, health, version                     ├─► a verb of ApiServer
//!                          ├─► metrics                                        │
//!                          └─► openapi                                        └─► streams (log, exec, …)
//!                                    answers: reply (JSON, YAML) ◄─ represent (Table, metadata only)
//! ```
//!
//! Nothing is decided here: who may do what, and what a write does, stands in the verbs.

mod body;
mod caller;
mod compression;
mod discovery;
mod health;
mod impersonation;
mod metrics;
mod negotiate;
mod openapi;
mod options;
mod path;
mod query;
mod reply;
mod represent;
mod resources;
mod streams;
mod table;
mod version;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{any, get};
use xebec_api::error::{ApiError, Reason};

pub use query::Query;
pub use reply::Reply;

use crate::ApiServer;

/// What the handlers share.
pub(crate) struct Face {
    pub(crate) server: Arc<ApiServer>,
}

/// The face on an apiserver. Requests carry their connection's client certificate in their
/// extensions, as for gRPC.
pub fn router(server: Arc<ApiServer>) -> Router {
    let face = Arc::new(Face { server });
    Router::new()
        .route("/version", get(version::answer))
        .route("/version/", get(version::answer))
        .merge(health::routes())
        .merge(discovery::routes())
        .merge(openapi::routes())
        .merge(metrics::routes())
        .route("/api/{version}/{*rest}", any(resources::handle))
        .route("/apis/{group}/{version}/{*rest}", any(resources::handle))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(face.clone(), caller::admit))
        .with_state(face)
}

async fn not_found(request: Request) -> Response {
    Reply::to(&request).fail(&no_such_resource())
}

async fn not_allowed(request: Request) -> Response {
    let message = format!("{} is not supported on {}", request.method(), request.uri().path());
    Reply::to(&request).fail(&ApiError::new(Reason::MethodNotAllowed, message))
}

/// Kubernetes' words for a path that leads nowhere.
pub(crate) fn no_such_resource() -> ApiError {
    ApiError::new(Reason::NotFound, "the server could not find the requested resource")
}
