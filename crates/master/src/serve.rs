//! What a master's two ports serve.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Status};
use xebec_apiserver::ApiServer;
use xebec_apiserver::grpc::{PodsService, ResourcesService, authenticate};
use xebec_apiserver::rest;
use xebec_rpc::error::to_status;
use xebec_rpc::raft::v1::host_server::HostServer;
use xebec_rpc::raft::v1::sessions_server::SessionsServer;
use xebec_rpc::v1;

use crate::connections::{self, Faces, STREAMS};
use crate::listen;
use crate::master::Shared;
use crate::services::{ClusterService, NodesService};

/// What reflection shows: what this port serves, not every service that there is.
const PUBLIC: [&str; 7] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "xebec.v1.Cluster",
    "xebec.v1.Metrics",
    "xebec.v1.Nodes",
    "xebec.v1.Pods",
    "xebec.v1.Resources",
];

/// Nobody is anonymous but to health: reflection, too, wants to know who asks.
fn known_only(api: Arc<ApiServer>) -> impl Fn(Request<()>) -> Result<Request<()>, Status> + Clone {
    move |request| match authenticate(&api, &request) {
        Ok(_) => Ok(request),
        Err(error) => Err(to_status(&error)),
    }
}

/// Serves the client API until the master stops.
pub(crate) async fn clients(incoming: listen::Incoming, shared: Arc<Shared>) {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let reflection = PUBLIC.iter().fold(tonic_reflection::server::Builder::configure(), |builder, name| {
        builder.with_service_name(*name)
    });
    let reflection = reflection
        .register_encoded_file_descriptor_set(xebec_rpc::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("our own descriptors are valid");
    let grpc = Routes::new(health_service)
        .add_service(v1::metrics_server::MetricsServer::new(crate::services::MetricsService(shared.clone())))
        .add_service(InterceptedService::new(reflection, known_only(shared.api.clone())))
        .add_service(v1::resources_server::ResourcesServer::new(ResourcesService::new(shared.api.clone())))
        .add_service(v1::cluster_server::ClusterServer::new(ClusterService(shared.clone())))
        .add_service(v1::nodes_server::NodesServer::new(NodesService(shared.clone())))
        .add_service(v1::pods_server::PodsServer::new(PodsService::new(shared.api.clone())));
    let rest = rest::router(shared.api.clone());
    let (grpc, stop) = (grpc.prepare().into_axum_router(), shared.stop.clone());
    drop(shared);
    connections::serve(incoming, Faces { grpc, rest }, stop).await;
}

/// Serves the peers' port until `stop`.
pub(crate) async fn peers(
    incoming: listen::Incoming,
    raft: xebec_raft::RaftService,
    peer: xebec_raft::PeerService,
    shared: tokio::sync::oneshot::Receiver<Arc<Shared>>,
    stop: CancellationToken,
) {
    let late = crate::late::Late::new(shared);
    let server = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(Duration::from_secs(1)))
        .layer(tonic::service::InterceptorLayer::new(masters_only))
        .add_service(raft)
        .add_service(peer)
        .add_service(SessionsServer::new(late.clone()))
        .add_service(HostServer::new(late));
    if let Err(error) = server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await {
        tracing::error!(%error, "the peers' port stopped");
    }
}

/// The TLS layer let in whoever has a certificate of this CA; here only masters may.
fn masters_only(request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
    let user = request.peer_certs().and_then(|certificates| certificates.first().cloned());
    let user = user.and_then(|der| xebec_apiserver::authentication::certificate(&der).ok());
    if user.as_ref().is_some_and(|user| user.groups.iter().any(|group| group == "xebec:masters")) {
        return Ok(request);
    }
    let from = request.remote_addr();
    tracing::warn!(?from, user = user.map(|user| user.name), "refused on the peers' port: not a master");
    Err(tonic::Status::permission_denied("only masters talk here"))
}
