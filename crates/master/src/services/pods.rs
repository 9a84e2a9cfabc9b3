//! `xebec.v1.Pods`: streams to and from a pod, through its node's tunnel.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_apiserver::grpc::authenticate;
use xebec_apiserver::{RequestContext, Target};
use xebec_rpc::error::to_status;
use xebec_rpc::node::v1::node_client::NodeClient;
use xebec_rpc::v1;
use xebec_rpc::v1::exec_request::Message;

use crate::dialer;
use crate::master::Shared;

/// The service.
pub(crate) struct PodsService(pub Arc<Shared>);

#[tonic::async_trait]
impl v1::pods_server::Pods for PodsService {
    type LogsStream = BoxStream<'static, Result<v1::LogsResponse, Status>>;
    type ExecStream = BoxStream<'static, Result<v1::ExecResponse, Status>>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let context = authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        let request = request.into_inner();
        let node = self.node_of(&context, &request.namespace, &request.pod, "log", "get").await;
        let mut client = self.client(node).await?;
        Ok(Response::new(client.logs(request).await?.into_inner().boxed()))
    }

    async fn exec(
        &self,
        request: Request<Streaming<v1::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let context = authenticate(&self.0.api, &request).map_err(|error| to_status(&error))?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.unwrap_or_default();
        let Some(Message::Start(start)) = &first.message else {
            return Err(Status::invalid_argument("exec opens with start"));
        };
        let node = self.node_of(&context, &start.namespace, &start.pod, "exec", "create").await;
        let mut client = self.client(node).await?;
        let rest = requests.filter_map(|request| std::future::ready(request.ok()));
        let answers = client.exec(futures::stream::iter([first]).chain(rest)).await?;
        Ok(Response::new(answers.into_inner().boxed()))
    }
}

impl PodsService {
    async fn node_of(
        &self,
        context: &RequestContext,
        namespace: &str,
        pod: &str,
        subresource: &str,
        verb: &str,
    ) -> Result<String, ApiError> {
        let target = Target::new("", "", "pods", namespace, pod, subresource)?;
        self.0.api.authorize(context, verb, &target)?;
        // Its own right was checked; that the pod may be read goes with it.
        let reader = RequestContext::internal("streams");
        let object = self.0.api.get(&reader, &target.clone().subresource("")).await?;
        let node = object.text(&["spec", "nodeName"]);
        if node.is_empty() {
            let why = format!("pod {pod:?} has no node yet: see `xctl describe pod {pod}` for why");
            return Err(ApiError::new(Reason::BadRequest, why));
        }
        Ok(node.to_owned())
    }

    async fn client(&self, node: Result<String, ApiError>) -> Result<NodeClient<Channel>, Status> {
        let node = node.map_err(|error| to_status(&error))?;
        let channel = dialer::channel(&self.0, &node).await;
        let channel = channel.map_err(|why| to_status(&ApiError::new(Reason::ServiceUnavailable, why)))?;
        Ok(NodeClient::new(channel))
    }
}
