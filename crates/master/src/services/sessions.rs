//! `xebec.raft.v1.Sessions`: what masters tell each other of the nodes' sessions.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};
use xebec_rpc::raft::v1;

use crate::master::Shared;
use crate::sessions::pump;

/// The service, on the peers' port.
pub(crate) struct SessionsService(pub Arc<Shared>);

#[tonic::async_trait]
impl v1::sessions_server::Sessions for SessionsService {
    type DialNodeStream = BoxStream<'static, Result<v1::DialFrame, Status>>;

    async fn report_sessions(
        &self,
        request: Request<v1::ReportSessionsRequest>,
    ) -> Result<Response<v1::ReportSessionsResponse>, Status> {
        let request = request.into_inner();
        self.0.node.admit(request.envelope.as_ref())?;
        for seen in request.nodes {
            self.0.liveness.heard(&seen.node_name, Duration::from_millis(seen.age_ms));
        }
        Ok(Response::new(v1::ReportSessionsResponse {}))
    }

    async fn dial_node(
        &self,
        request: Request<Streaming<v1::DialFrame>>,
    ) -> Result<Response<Self::DialNodeStream>, Status> {
        let mut frames = request.into_inner();
        let first = frames.message().await?.unwrap_or_default();
        self.0.node.admit(first.envelope.as_ref())?;
        let stream = self.0.sessions.dial(&first.node_name).await;
        let stream = stream.ok_or_else(|| Status::not_found("the node has no session here"))?;
        let stream = stream.map_err(Status::unavailable)?;
        let outgoing = pump(stream, frames.map(|frame| frame.map(|frame| frame.data)).boxed());
        let frame = |data| Ok(v1::DialFrame { envelope: None, node_name: String::new(), data });
        Ok(Response::new(outgoing.map(frame).boxed()))
    }
}
