//! `xebec.node.v1.Node`: what masters ask of this agent through its tunnels, one file each.
//!
//! Every stream ends with either of its sides, or with the agent; what waits in it is bounded.

mod logs;
mod port_forward;
mod process;

use std::sync::Arc;

use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};
use xebec_api::error::{ApiError, Reason};
use xebec_rpc::error::to_status;
use xebec_rpc::node::v1::node_server::Node;
use xebec_rpc::v1;
use xebec_runtime::{RuntimeError, Sandbox};

use crate::pod::machine::{is_running, newest, parse_run};
use crate::run::Agent;

/// Messages that may wait for their reader.
const WAITING: usize = 16;

/// The service.
pub(crate) struct NodeService(Arc<Agent>);

impl NodeService {
    pub(crate) fn new(agent: Arc<Agent>) -> Self {
        Self(agent)
    }

    async fn sandbox(&self, pod: Meant<'_>) -> Result<Sandbox, Status> {
        let all = self.0.runtime.list().await.map_err(|error| refusal(&error))?;
        let found = all.into_iter().filter(|sandbox| pod.is(sandbox)).max_by_key(|sandbox| sandbox.alive);
        found.ok_or_else(|| bad(format!("pod {:?} has not started on this node yet", pod.name)))
    }

    /// The pod's uid and the running run of a container.
    async fn running(&self, pod: Meant<'_>, container: &str) -> Result<(String, String), Status> {
        let sandbox = self.sandbox(pod).await?;
        let container = named(&sandbox, container)?;
        let run = newest(Some(&sandbox), &container).filter(|(_, state)| is_running(state));
        let (_, state) = run.ok_or_else(|| bad(format!("container {container:?} does not run")))?;
        Ok((sandbox.pod_uid.clone(), state.id.clone()))
    }
}

/// The pod that a request means.
#[derive(Clone, Copy)]
struct Meant<'a> {
    namespace: &'a str,
    name: &'a str,
    /// The name alone may stand for another pod, one before or after it. Empty: a master of
    /// an earlier version knows no more than the name.
    uid: &'a str,
}

impl Meant<'_> {
    fn is(&self, sandbox: &Sandbox) -> bool {
        sandbox.namespace == self.namespace
            && sandbox.name == self.name
            && (self.uid.is_empty() || sandbox.pod_uid == self.uid)
    }
}

/// The container that is meant: the named one, or the only one.
fn named(sandbox: &Sandbox, named: &str) -> Result<String, Status> {
    let mut names: Vec<&str> =
        sandbox.containers.iter().filter_map(|state| Some(parse_run(&state.id)?.0)).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        _ if names.contains(&named) => Ok(named.to_owned()),
        [only] if named.is_empty() => Ok((*only).to_owned()),
        [] => Err(bad("no container of the pod has started yet".to_owned())),
        _ if named.is_empty() => Err(bad(format!("container: choose one of {names:?}"))),
        _ => Err(bad(format!("container {named:?} has not started: the pod has {names:?}"))),
    }
}

fn bad(why: String) -> Status {
    to_status(&ApiError::new(Reason::BadRequest, why))
}

/// A refusal of the runtime's: what the user named is not there, or something is wrong here.
fn refusal(error: &RuntimeError) -> Status {
    let reason = match error {
        RuntimeError::NoSandbox { .. } | RuntimeError::NoContainer { .. } | RuntimeError::Invalid(_) => {
            Reason::BadRequest
        }
        _ => Reason::InternalError,
    };
    to_status(&ApiError::new(reason, error.to_string()))
}

type Answers<T> = BoxStream<'static, Result<T, Status>>;

#[tonic::async_trait]
impl Node for NodeService {
    type LogsStream = Answers<v1::LogsResponse>;
    type ExecStream = Answers<v1::ExecResponse>;
    type AttachStream = Answers<v1::ExecResponse>;
    type PortForwardStream = Answers<v1::PortForwardResponse>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        self.send_logs(request.into_inner()).await.map(Response::new)
    }

    async fn exec(
        &self,
        request: Request<Streaming<v1::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        self.run_command(request.into_inner()).await.map(Response::new)
    }

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        self.join_container(request.into_inner()).await.map(Response::new)
    }

    async fn port_forward(
        &self,
        request: Request<Streaming<v1::PortForwardRequest>>,
    ) -> Result<Response<Self::PortForwardStream>, Status> {
        self.forward(request.into_inner()).await.map(Response::new)
    }
}
