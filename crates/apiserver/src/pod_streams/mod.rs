//! Streams to and from pods, for both faces: logs, exec, attach, port-forward.
//!
//! Here is decided who may open one and to which node it goes; the messages are those that the node's agent speaks,
//! and whatever a face makes of them is the face's. A stream ends with either of its sides: dropping what was returned
//! ends it at the node.

mod pod;
mod ports;
mod requests;

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_rpc::error::from_status;
use xebec_rpc::node::v1::node_client::NodeClient;
use xebec_rpc::v1::{self, attach_request, exec_request, exec_response};

use crate::{ApiServer, RequestContext};

pub use ports::{PortAnswers, Ports};
use requests::Requests;

/// The way to the nodes' agents.
#[tonic::async_trait]
pub trait NodeDialer: Send + Sync + 'static {
    /// A channel to the agent of a node.
    ///
    /// # Errors
    /// Why nobody reaches it.
    async fn dial(&self, node: &str) -> Result<Channel, String>;
}

/// What a container printed, in pieces.
pub type Logs = BoxStream<'static, Result<bytes::Bytes, ApiError>>;
/// What a process says; its exit code last, unless only the attachment ended.
pub type Outputs = BoxStream<'static, Result<exec_response::Message, ApiError>>;

impl ApiServer {
    /// Gives the way to the nodes. Without it, no pod is reached.
    pub fn set_dialer(&self, dialer: Arc<dyn NodeDialer>) {
        // The first one stays: a server has one way to its nodes.
        let _ = self.dialer_slot().set(dialer);
    }

    /// What a container printed.
    ///
    /// # Errors
    /// `Forbidden` without the right to get `pods/log`, `BadRequest` for a container that is not there.
    pub async fn pod_logs(
        &self,
        ctx: &RequestContext,
        mut request: v1::LogsRequest,
    ) -> Result<Logs, ApiError> {
        let pod = self.streaming_pod(ctx, "get", &request.namespace, &request.pod, "log").await?;
        let container = pod::container(&pod, &request.container)?;
        request.container.clone_from(&container);
        request.pod_uid = pod::uid(&pod, &request.pod_uid)?;
        if !request.since_time.is_empty() && request.since_time.parse::<Timestamp>().is_err() {
            let why = format!("sinceTime: {:?} is no time in RFC 3339", request.since_time);
            return Err(ApiError::new(Reason::BadRequest, why));
        }
        let mut node = self.node_of(&pod).await?;
        let previous = request.previous;
        let pieces = match opened(ctx, node.logs(request)).await {
            // What is left for an agent to refuse is a log that is not there.
            Err(error) if !previous && error.reason == Reason::BadRequest => {
                return Err(pod::check_started(&pod, &container).err().unwrap_or(error));
            }
            pieces => pieces?,
        };
        let data = |piece: Result<v1::LogsResponse, Status>| match piece {
            Ok(piece) => Ok(piece.data),
            Err(status) => Err(from_status(&status)),
        };
        Ok(pieces.map(data).boxed())
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// `Forbidden` without the right to create `pods/exec`, or `BadRequest` where there is nothing to run it in.
    pub async fn pod_exec(
        &self,
        ctx: &RequestContext,
        mut start: exec_request::Start,
        input: BoxStream<'static, exec_request::Message>,
    ) -> Result<Outputs, ApiError> {
        let pod = self.streaming_pod(ctx, pod::OPEN, &start.namespace, &start.pod, "exec").await?;
        pod::check_not_over(&pod, "exec into")?;
        if start.command.is_empty() {
            return Err(ApiError::new(
                Reason::BadRequest,
                "you must specify at least one command for the container",
            ));
        }
        start.container = pod::container(&pod, &start.container)?;
        start.pod_uid = pod::uid(&pod, &start.pod_uid)?;
        let mut node = self.node_of(&pod).await?;
        let message = |message| v1::ExecRequest { message: Some(message) };
        let requests = Requests::of(exec_request::Message::Start(start), input, message);
        Ok(outputs(opened(ctx, node.exec(requests)).await?))
    }

    /// Joins a running container's own streams.
    ///
    /// # Errors
    /// As [`ApiServer::pod_exec`].
    pub async fn pod_attach(
        &self,
        ctx: &RequestContext,
        mut start: attach_request::Start,
        input: BoxStream<'static, attach_request::Message>,
    ) -> Result<Outputs, ApiError> {
        let pod = self.streaming_pod(ctx, pod::OPEN, &start.namespace, &start.pod, "attach").await?;
        pod::check_not_over(&pod, "attach to")?;
        start.container = pod::container(&pod, &start.container)?;
        start.pod_uid = pod::uid(&pod, &start.pod_uid)?;
        let mut node = self.node_of(&pod).await?;
        let message = |message| v1::AttachRequest { message: Some(message) };
        let requests = Requests::of(attach_request::Message::Start(start), input, message);
        Ok(outputs(opened(ctx, node.attach(requests)).await?))
    }

    /// The way to a pod's ports, for as many connections as are wanted. Of whichever pod has the name, where no uid
    /// is given.
    ///
    /// # Errors
    /// As [`ApiServer::pod_exec`].
    pub async fn pod_ports(
        &self,
        ctx: &RequestContext,
        namespace: &str,
        name: &str,
        pod_uid: &str,
    ) -> Result<Ports, ApiError> {
        let pod = self.streaming_pod(ctx, pod::OPEN, namespace, name, "portforward").await?;
        pod::uid(&pod, pod_uid)?;
        if xebec_api::pod::phase(&pod) != "Running" {
            let phase = xebec_api::pod::phase(&pod);
            let why = format!("unable to forward port because pod is not running. Current status={phase}");
            return Err(ApiError::new(Reason::BadRequest, why));
        }
        let node = self.node_of(&pod).await?;
        Ok(Ports::new(node, ctx.clone(), &pod))
    }

    /// A client of the agent of a pod's node.
    pub(super) async fn node_of(
        &self,
        pod: &xebec_api::object::Object,
    ) -> Result<NodeClient<Channel>, ApiError> {
        let unavailable = |why: String| ApiError::new(Reason::ServiceUnavailable, why);
        let node = xebec_api::pod::node_name(pod).ok_or_else(|| {
            let name = pod.name();
            let why = format!("pod {name:?} has no node yet: see `xctl describe pod {name}` for why");
            ApiError::new(Reason::BadRequest, why)
        })?;
        let dialer = self.dialer_slot().get();
        let dialer = dialer.ok_or_else(|| unavailable("this server has no way to the nodes".into()))?;
        Ok(NodeClient::new(dialer.dial(node).await.map_err(unavailable)?))
    }
}

fn outputs(answers: Streaming<v1::ExecResponse>) -> Outputs {
    let known = answers.filter_map(|answer| {
        let message = answer.map(|answer| answer.message).map_err(|status| from_status(&status));
        std::future::ready(message.transpose())
    });
    known.boxed()
}

/// The agent's answers, once it has begun to answer, within the request's time.
async fn opened<T>(
    ctx: &RequestContext,
    call: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
) -> Result<Streaming<T>, ApiError> {
    match tokio::time::timeout(ctx.timeout, call).await {
        Ok(answer) => answer.map(Response::into_inner).map_err(|status| from_status(&status)),
        Err(_) => {
            Err(ApiError::new(Reason::Timeout, format!("the node did not answer within {:?}", ctx.timeout)))
        }
    }
}
