//! `xebec.v1.Metrics`: what nodes and pods use, asked of agents through their tunnels.

use std::sync::{Arc, Weak};

use tonic::{Request, Response, Status};
use xebec_apiserver::RequestContext;
use xebec_apiserver::grpc::authenticate;
use xebec_apiserver::metrics::NodeUsage;
use xebec_rpc::error::to_status;
use xebec_rpc::node::v1::{UsageRequest, UsageResponse};
use xebec_rpc::v1::metrics_server::Metrics;
use xebec_rpc::v1::{NodeMetricsRequest, NodeMetricsResponse, PodMetricsRequest, PodMetricsResponse};

use crate::dialer;
use crate::master::Shared;

/// The service.
pub(crate) struct MetricsService(pub Arc<Shared>);

impl MetricsService {
    fn context<T>(&self, request: &Request<T>) -> Result<RequestContext, Status> {
        authenticate(&self.0.api, request).map_err(|error| to_status(&error))
    }
}

#[tonic::async_trait]
impl NodeUsage for MetricsService {
    async fn usage(&self, node: &str, node_only: bool) -> Result<UsageResponse, String> {
        let answer = dialer::stats(&self.0, node).await?.usage(UsageRequest { node_only }).await;
        answer.map(Response::into_inner).map_err(|status| format!("node {node}: {}", status.message()))
    }
}

/// The same for whoever asks the API. It does not keep the master alive.
pub(crate) struct Measured(pub Weak<Shared>);

#[tonic::async_trait]
impl NodeUsage for Measured {
    async fn usage(&self, node: &str, node_only: bool) -> Result<UsageResponse, String> {
        let shared = self.0.upgrade().ok_or_else(|| "this master is stopping".to_owned())?;
        MetricsService(shared).usage(node, node_only).await
    }
}

#[tonic::async_trait]
impl Metrics for MetricsService {
    async fn nodes(
        &self,
        request: Request<NodeMetricsRequest>,
    ) -> Result<Response<NodeMetricsResponse>, Status> {
        let ctx = self.context(&request)?;
        let nodes = self.0.api.node_metrics(&ctx, self, &request.into_inner().name).await;
        Ok(Response::new(NodeMetricsResponse { nodes: nodes.map_err(|error| to_status(&error))? }))
    }

    async fn pods(
        &self,
        request: Request<PodMetricsRequest>,
    ) -> Result<Response<PodMetricsResponse>, Status> {
        let ctx = self.context(&request)?;
        let PodMetricsRequest { namespace, name, label_selector } = request.into_inner();
        let measured = self.0.api.pod_metrics(&ctx, self, &namespace, &name, &label_selector).await;
        let (pods, errors) = measured.map_err(|error| to_status(&error))?;
        Ok(Response::new(PodMetricsResponse { pods, errors }))
    }
}
