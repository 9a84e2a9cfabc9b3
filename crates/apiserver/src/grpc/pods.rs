//! `xebec.v1.Pods`: streams to and from pods, as the node's agent speaks them.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_rpc::error::to_status;
use xebec_rpc::v1::{self, attach_request, exec_request, port_forward_request};

use super::identity::authenticate;
use crate::pod_streams::Outputs;
use crate::{ApiServer, RequestContext};

/// `xebec.v1.Pods`.
#[derive(Clone)]
pub struct PodsService {
    server: Arc<ApiServer>,
}

type Answers<T> = BoxStream<'static, Result<T, Status>>;

impl PodsService {
    /// On an apiserver that has a way to the nodes.
    #[must_use]
    pub fn new(server: Arc<ApiServer>) -> Self {
        Self { server }
    }

    fn context<T>(&self, request: &Request<T>) -> Result<RequestContext, Status> {
        authenticate(&self.server, request).map_err(|error| to_status(&error))
    }
}

fn opens_with_start(what: &str) -> Status {
    to_status(&ApiError::new(Reason::BadRequest, format!("{what} opens with start")))
}

/// What a client sends after its first message; its end, or a break, is the end of it.
fn rest<T: Send + 'static, M: Send + 'static>(
    requests: Streaming<T>,
    message: impl Fn(T) -> Option<M> + Send + 'static,
) -> BoxStream<'static, M> {
    requests.filter_map(move |request| std::future::ready(request.ok().and_then(&message))).boxed()
}

fn process(outputs: Result<Outputs, ApiError>) -> Result<Response<Answers<v1::ExecResponse>>, Status> {
    let outputs = outputs.map_err(|error| to_status(&error))?;
    let answers = outputs.map(|output| match output {
        Ok(message) => Ok(v1::ExecResponse { message: Some(message) }),
        Err(error) => Err(to_status(&error)),
    });
    Ok(Response::new(answers.boxed()))
}

#[tonic::async_trait]
impl v1::pods_server::Pods for PodsService {
    type LogsStream = Answers<v1::LogsResponse>;
    type ExecStream = Answers<v1::ExecResponse>;
    type AttachStream = Answers<v1::ExecResponse>;
    type PortForwardStream = Answers<v1::PortForwardResponse>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let ctx = self.context(&request)?;
        let logs = self.server.pod_logs(&ctx, request.into_inner()).await;
        let pieces = logs.map_err(|error| to_status(&error))?.map(|piece| match piece {
            Ok(data) => Ok(v1::LogsResponse { data }),
            Err(error) => Err(to_status(&error)),
        });
        Ok(Response::new(pieces.boxed()))
    }

    async fn exec(
        &self,
        request: Request<Streaming<v1::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let ctx = self.context(&request)?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|first| first.message);
        let Some(exec_request::Message::Start(start)) = first else { return Err(opens_with_start("exec")) };
        let input = rest(requests, |request| request.message);
        process(self.server.pod_exec(&ctx, start, input).await)
    }

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let ctx = self.context(&request)?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|first| first.message);
        let Some(attach_request::Message::Start(start)) = first else {
            return Err(opens_with_start("attach"));
        };
        let input = rest(requests, |request| request.message);
        process(self.server.pod_attach(&ctx, start, input).await)
    }

    async fn port_forward(
        &self,
        request: Request<Streaming<v1::PortForwardRequest>>,
    ) -> Result<Response<Self::PortForwardStream>, Status> {
        let ctx = self.context(&request)?;
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|first| first.message);
        let Some(port_forward_request::Message::Start(start)) = first else {
            return Err(opens_with_start("port-forward"));
        };
        let input = rest(requests, |request| request.message);
        let answers = async {
            let port_forward_request::Start { namespace, pod, pod_uid, .. } = &start;
            let ports = self.server.pod_ports(&ctx, namespace, pod, pod_uid).await?;
            ports.connect(start.port, input).await
        };
        let answers = answers.await.map_err(|error| to_status(&error))?.map(|answer| match answer {
            Ok(message) => Ok(v1::PortForwardResponse { message: Some(message) }),
            Err(error) => Err(to_status(&error)),
        });
        Ok(Response::new(answers.boxed()))
    }
}
