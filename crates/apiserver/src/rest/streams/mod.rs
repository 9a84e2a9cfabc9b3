//! Streams to and from pods: `log`, `exec`, `attach`, `portforward`. The face reads the
//! path and the query and proves who asks; a [`PodStreams`] does the rest, as it needs
//! ways to nodes that an apiserver does not have. Until there is one, [`NotYet`] says so.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use xebec_api::error::{ApiError, Reason};

use super::{Query, Reply};
use crate::{RequestContext, Target};

/// The subresources of pods that are streams.
pub const SUBRESOURCES: [&str; 4] = ["log", "exec", "attach", "portforward"];

/// A request for a stream. Nothing was authorised yet: what verb it is depends on the stream.
#[derive(Debug)]
pub struct StreamRequest {
    /// Who asks.
    pub context: RequestContext,
    /// The pod, and which of [`SUBRESOURCES`].
    pub target: Target,
    /// Such as `container` and `follow`, or `command`, once for each word.
    pub query: Query,
    /// How to answer with an error.
    pub reply: Reply,
    /// The request itself, to be upgraded where the stream needs it.
    pub request: Request<Body>,
}

/// What serves streams.
#[tonic::async_trait]
pub trait PodStreams: Send + Sync + 'static {
    /// Serves one; errors are answered by [`StreamRequest::reply`].
    async fn serve(&self, stream: StreamRequest) -> Response;
}

/// Serves none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotYet;

#[tonic::async_trait]
impl PodStreams for NotYet {
    async fn serve(&self, stream: StreamRequest) -> Response {
        let message = format!("{} is not served over REST yet: use xctl", stream.target.qualified());
        stream.reply.fail(&ApiError::new(Reason::NotImplemented, message))
    }
}
