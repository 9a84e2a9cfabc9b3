//! `xebec.v1.Nodes`: what agents call.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_apiserver::grpc::authenticate;
use xebec_rpc::error::to_status;
use xebec_rpc::v1;
use xebec_rpc::v1::session_up::Message;

use crate::master::Shared;
use crate::pki::Purpose;
use crate::tokens::Use;

/// The service.
pub(crate) struct NodesService(pub Arc<Shared>);

#[tonic::async_trait]
impl v1::nodes_server::Nodes for NodesService {
    type SessionStream = BoxStream<'static, Result<v1::SessionDown, Status>>;
    type TunnelStream = BoxStream<'static, Result<v1::TunnelFrame, Status>>;

    async fn join(
        &self,
        request: Request<v1::JoinNodeRequest>,
    ) -> Result<Response<v1::JoinNodeResponse>, Status> {
        let from = request.remote_addr();
        let request = request.into_inner();
        let admitted = self.0.admit_token(&request.token, Use::Node, self.0.now()).await;
        admitted.map_err(|error| {
            tracing::warn!(?from, node = request.node_name, "refused a joining node: {error}");
            to_status(&error)
        })?;
        self.0
            .node_certificate(&request.node_name, &request.csr)
            .map(Response::new)
            .map_err(|error| to_status(&error))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewNodeRequest>,
    ) -> Result<Response<v1::JoinNodeResponse>, Status> {
        let node = self.node_of(&request)?;
        let csr = request.into_inner().csr;
        self.0.node_certificate(&node, &csr).map(Response::new).map_err(|error| to_status(&error))
    }

    async fn session(
        &self,
        request: Request<Streaming<v1::SessionUp>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let node = self.node_of(&request)?;
        let mut up = request.into_inner();
        let hello = match up.message().await?.and_then(|up| up.message) {
            Some(Message::Hello(hello)) => hello,
            _ => return Err(Status::invalid_argument("a session opens with hello")),
        };
        if hello.node_name != node {
            let why = format!("node {node:?} may not open a session as {:?}", hello.node_name);
            return Err(to_status(&ApiError::new(Reason::Forbidden, why)));
        }
        let id = rand::random();
        let orders = self.0.sessions.open(&node, id);
        tracing::info!(node, version = hello.version, "a node opened its session");
        let shared = self.0.clone();
        tokio::spawn(async move {
            // Ends when the agent goes, its connection breaks, or the master stops.
            while let Ok(Some(_)) = up.message().await {
                shared.sessions.heard(&node, id);
            }
            shared.sessions.close(&node, id);
            tracing::info!(node, "a node's session ended");
        });
        self.0.sessions.announce(&self.0.master_addresses());
        let stop = self.0.stop.clone();
        Ok(Response::new(ReceiverStream::new(orders).take_until(stop.cancelled_owned()).boxed()))
    }

    async fn tunnel(
        &self,
        request: Request<Streaming<v1::TunnelFrame>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        self.node_of(&request)?;
        let mut frames = request.into_inner();
        let first =
            frames.message().await?.ok_or_else(|| Status::invalid_argument("a tunnel opens with its id"))?;
        self.0.sessions.opened(&first.tunnel_id, frames).map(Response::new)
    }
}

impl NodesService {
    fn node_of<T>(&self, request: &Request<T>) -> Result<String, Status> {
        let context = authenticate(&self.0.api, request).map_err(|error| to_status(&error))?;
        let node = context.user.node().map(str::to_owned);
        node.ok_or_else(|| {
            let why = format!("User {:?} is no node's agent", context.user.name);
            to_status(&ApiError::new(Reason::Forbidden, why))
        })
    }
}

impl Shared {
    fn node_certificate(&self, node: &str, csr: &str) -> Result<v1::JoinNodeResponse, ApiError> {
        let bad = |why: String| ApiError::new(Reason::BadRequest, why);
        xebec_api::name::dns_subdomain(node).map_err(|why| bad(format!("node_name = {node:?}: {why}")))?;
        let purpose =
            Purpose::Client { name: format!("system:node:{node}"), groups: vec!["system:nodes".to_owned()] };
        let certificate = self.keys.authority.sign(csr, &purpose, self.now());
        Ok(v1::JoinNodeResponse {
            certificate: certificate.map_err(|error| bad(error.to_string()))?,
            ca_certificate: self.keys.authority.certificate().to_owned(),
            cluster_id: self.cluster_id.clone(),
            masters: self.master_addresses(),
        })
    }
}
