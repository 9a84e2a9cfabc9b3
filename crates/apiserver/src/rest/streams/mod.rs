//! Streams to and from pods, as Kubernetes' REST paths have them: `log` is a plain answer, `exec`, `attach` and
//! `portforward` are WebSockets. Who may, and where the pod is, is [`crate::pod_streams`]'s to know.
//!
//! A stream is opened before the answer is sent, so that what is refused has an HTTP code and a `Status`. SPDY as the
//! connection itself, which Kubernetes had before, is not spoken: every client since 1.31 asks for a WebSocket first.

mod channels;
mod log;
mod port_forward;
mod process;
mod socket;
mod spdy;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use xebec_api::error::{ApiError, Reason};

use super::{Query, Reply};
use crate::{ApiServer, RequestContext, Target};

/// The subresources of pods that are streams.
pub(super) const SUBRESOURCES: [&str; 4] = ["log", "exec", "attach", "portforward"];

/// A request for a stream. Nothing was authorised yet: what verb it is depends on the stream.
pub(super) struct StreamRequest {
    /// Who asks.
    pub(super) context: RequestContext,
    /// The pod, and which of [`SUBRESOURCES`].
    pub(super) target: Target,
    /// Such as `container` and `follow`, or `command`, once for each word.
    pub(super) query: Query,
    /// How to answer with an error.
    pub(super) reply: Reply,
    /// The request itself, to be upgraded where the stream needs it.
    pub(super) request: Request<Body>,
}

/// Serves one.
pub(super) async fn serve(server: &Arc<ApiServer>, stream: StreamRequest) -> Response {
    let reply = stream.reply;
    let served = match stream.target.subresource.as_str() {
        "log" => log::serve(server, stream).await,
        "portforward" => port_forward::serve(server, stream).await,
        _ => process::serve(server, stream).await,
    };
    served.unwrap_or_else(|error| reply.fail(&error))
}

fn bad(why: impl Into<String>) -> ApiError {
    ApiError::new(Reason::BadRequest, why)
}
