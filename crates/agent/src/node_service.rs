//! `xebec.node.v1.Node`: what masters ask of this agent through its tunnels.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use xebec_rpc::node::v1::node_server::Node;
use xebec_rpc::v1;
use xebec_rpc::v1::exec_request::Message;
use xebec_rpc::v1::exec_response;
use xebec_runtime::{ExecEvent, ExecInput, ExecOptions, Sandbox};

use crate::logs;
use crate::pod::machine::{is_running, newest, parse_run};
use crate::run::Agent;

/// The service.
pub(crate) struct NodeService(Arc<Agent>);

impl NodeService {
    pub(crate) fn new(agent: Arc<Agent>) -> Self {
        Self(agent)
    }

    async fn sandbox(&self, namespace: &str, pod: &str) -> Result<Sandbox, Status> {
        let all = self.0.runtime.list().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let found =
            all.into_iter().filter(|s| s.namespace == namespace && s.name == pod).max_by_key(|s| s.alive);
        found.ok_or_else(|| {
            Status::failed_precondition(format!("pod {pod:?} has not started on this node yet"))
        })
    }
}

/// The container that is meant: the named one, or the only one.
fn container(sandbox: &Sandbox, named: &str) -> Result<String, Status> {
    let mut names: Vec<&str> =
        sandbox.containers.iter().filter_map(|state| Some(parse_run(&state.id)?.0)).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        _ if names.contains(&named) => Ok(named.to_owned()),
        [only] if named.is_empty() => Ok((*only).to_owned()),
        [] => Err(Status::failed_precondition("no container of the pod has started yet")),
        _ if named.is_empty() => Err(Status::invalid_argument(format!("container: choose one of {names:?}"))),
        _ => Err(Status::not_found(format!("container {named:?} is not in the pod: it has {names:?}"))),
    }
}

#[tonic::async_trait]
impl Node for NodeService {
    type LogsStream = BoxStream<'static, Result<v1::LogsResponse, Status>>;
    type ExecStream = BoxStream<'static, Result<v1::ExecResponse, Status>>;

    async fn logs(&self, request: Request<v1::LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        let request = request.into_inner();
        let sandbox = self.sandbox(&request.namespace, &request.pod).await?;
        let container = container(&sandbox, &request.container)?;
        let folder = self.0.config.data_dir.join("logs").join(&sandbox.pod_uid).join(&container);
        let path = logs::file(&folder, request.previous);
        let path =
            path.ok_or_else(|| Status::not_found(format!("container {container:?} has no such log")))?;
        let since = request
            .since_seconds
            .and_then(|s| self.0.clock.now().checked_sub(jiff::SignedDuration::from_secs(s.into())).ok());
        let wanted = logs::Wanted {
            follow: request.follow && !request.previous,
            tail: request.tail_lines.map(|lines| lines as usize),
            since,
            timestamps: request.timestamps,
            limit_bytes: request.limit_bytes,
        };
        let (sender, receiver) = mpsc::channel(16);
        let agent = self.0.clone();
        let followed = path.clone();
        // Ends with the log, with its reader, or with the agent.
        tokio::spawn(async move {
            let over = move || {
                logs::file(&folder, false).is_some_and(|newest| newest != followed) || !folder.exists()
            };
            let stop = agent.stop.clone();
            stop.run_until_cancelled(logs::send(path, wanted, sender, over)).await;
        });
        let parts = ReceiverStream::new(receiver).map(|data| Ok(v1::LogsResponse { data: data.into() }));
        Ok(Response::new(parts.boxed()))
    }

    async fn exec(
        &self,
        request: Request<Streaming<v1::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(Message::Start(start)) = first else {
            return Err(Status::invalid_argument("exec opens with start"));
        };
        let sandbox = self.sandbox(&start.namespace, &start.pod).await?;
        let container = container(&sandbox, &start.container)?;
        let run = newest(Some(&sandbox), &container).filter(|(_, state)| is_running(state));
        let run =
            run.ok_or_else(|| Status::failed_precondition(format!("container {container:?} does not run")))?;
        let options = ExecOptions { stdin: start.stdin, tty: start.tty };
        let handle = self.0.runtime.exec(&sandbox.pod_uid, &run.1.id, start.command, options).await;
        let handle = handle.map_err(|error| Status::failed_precondition(error.to_string()))?;
        let input = handle.input;
        // Ends with either side's stream.
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let Some(item) = request.message.and_then(exec_input) else { continue };
                if input.send(item).await.is_err() {
                    return;
                }
            }
        });
        let output = ReceiverStream::new(handle.output).map(|event| {
            let message = match event {
                ExecEvent::Stdout(data) => exec_response::Message::Stdout(data),
                ExecEvent::Stderr(data) => exec_response::Message::Stderr(data),
                ExecEvent::Exit(code) => exec_response::Message::ExitCode(code),
            };
            Ok(v1::ExecResponse { message: Some(message) })
        });
        Ok(Response::new(output.boxed()))
    }
}

fn exec_input(message: Message) -> Option<ExecInput> {
    let size = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    match message {
        Message::Start(_) => None,
        Message::Stdin(data) => Some(ExecInput::Stdin(data)),
        Message::StdinClosed(_) => Some(ExecInput::CloseStdin),
        Message::Resize(r) => Some(ExecInput::Resize { columns: size(r.columns), rows: size(r.rows) }),
    }
}
