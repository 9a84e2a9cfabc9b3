//! Exec and attach: the streams of a command, or of a container itself.

use futures::{Stream, StreamExt};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use xebec_rpc::v1::{self, attach_request, exec_request, exec_response};
use xebec_runtime::{ExecEvent, ExecHandle, ExecInput, ExecOptions, TerminalSize};

use super::{Answers, Meant, NodeService, bad, refusal};

impl NodeService {
    pub(super) async fn run_command(
        &self,
        mut requests: Streaming<v1::ExecRequest>,
    ) -> Result<Answers<v1::ExecResponse>, Status> {
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(exec_request::Message::Start(start)) = first else {
            return Err(bad("exec opens with start".to_owned()));
        };
        let pod = Meant { namespace: &start.namespace, name: &start.pod, uid: &start.pod_uid };
        let (pod_uid, run) = self.running(pod, &start.container).await?;
        let options = ExecOptions { stdin: start.stdin, tty: start.tty, size: start.size.map(size) };
        let handle = self.0.runtime.exec(&pod_uid, &run, start.command, options).await;
        let inputs = requests.map(|request| request.map(|request| request.message.and_then(exec_input)));
        Ok(connect(handle.map_err(|error| refusal(&error))?, inputs))
    }

    pub(super) async fn join_container(
        &self,
        mut requests: Streaming<v1::AttachRequest>,
    ) -> Result<Answers<v1::ExecResponse>, Status> {
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(attach_request::Message::Start(start)) = first else {
            return Err(bad("attach opens with start".to_owned()));
        };
        let pod = Meant { namespace: &start.namespace, name: &start.pod, uid: &start.pod_uid };
        let (pod_uid, run) = self.running(pod, &start.container).await?;
        let handle = self.0.runtime.attach(&pod_uid, &run, start.stdin).await;
        let inputs = requests.map(|request| request.map(|request| request.message.and_then(attach_input)));
        Ok(connect(handle.map_err(|error| refusal(&error))?, inputs))
    }
}

/// Moves what comes to the handle, and gives what it says.
fn connect(
    handle: ExecHandle,
    mut inputs: impl Stream<Item = Result<Option<ExecInput>, Status>> + Send + Unpin + 'static,
) -> Answers<v1::ExecResponse> {
    let input = handle.input;
    // Ends with either side's stream.
    tokio::spawn(async move {
        while let Some(Ok(item)) = inputs.next().await {
            let Some(item) = item else { continue };
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
    output.boxed()
}

fn exec_input(message: exec_request::Message) -> Option<ExecInput> {
    match message {
        exec_request::Message::Start(_) => None,
        exec_request::Message::Stdin(data) => Some(ExecInput::Stdin(data)),
        exec_request::Message::StdinClosed(_) => Some(ExecInput::CloseStdin),
        exec_request::Message::Resize(resize) => Some(ExecInput::Resize(size(resize))),
    }
}

fn attach_input(message: attach_request::Message) -> Option<ExecInput> {
    match message {
        attach_request::Message::Start(_) => None,
        attach_request::Message::Stdin(data) => Some(ExecInput::Stdin(data)),
        attach_request::Message::StdinClosed(_) => Some(ExecInput::CloseStdin),
        attach_request::Message::Resize(resize) => Some(ExecInput::Resize(size(resize))),
    }
}

fn size(size: v1::TerminalSize) -> TerminalSize {
    let fitted = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
    TerminalSize { columns: fitted(size.columns), rows: fitted(size.rows) }
}
