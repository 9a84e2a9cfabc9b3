//! Runs a command in a container, or joins the container's own streams: the handle's channels, and the task between
//! them and the shim.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::NodeRuntime;
use super::client::{Channel, Receiver, Sender};
use crate::shim::frame::{Frame, Kind};
use crate::shim::protocol::{Request, Response};
use crate::{ExecEvent, ExecHandle, ExecInput, ExecOptions, RuntimeError, TerminalSize};

/// How many chunks may wait on each side; a reader that is slow slows the command down.
const CHUNKS: usize = 16;

impl NodeRuntime {
    pub(super) async fn run_command(
        &self,
        uid: &str,
        id: &str,
        command: Vec<String>,
        options: ExecOptions,
    ) -> Result<ExecHandle, RuntimeError> {
        let ExecOptions { stdin, tty, size } = options;
        let request = Request::Exec { id: id.to_owned(), command, stdin, tty, size };
        match self.open_streams(uid, &request).await {
            // As a shell does it: the message on stderr, and the code that says what kind of failure it was.
            Err(RuntimeError::Start { command, message, exit_code }) => {
                let (input, _) = mpsc::channel(1);
                let (outputs, output) = mpsc::channel(2);
                let text = format!("{command}: {message}\n");
                for event in [ExecEvent::Stderr(text.into()), ExecEvent::Exit(exit_code)] {
                    outputs.try_send(event).expect("the channel has room for two");
                }
                Ok(ExecHandle { input, output })
            }
            opened => opened.map_err(|error| error.about(id)),
        }
    }

    pub(super) async fn join_streams(
        &self,
        uid: &str,
        id: &str,
        stdin: bool,
    ) -> Result<ExecHandle, RuntimeError> {
        let request = Request::Attach { id: id.to_owned(), stdin };
        let lack =
            "nobody can attach to: delete the pod, so that a new one takes its place, or use `logs -f`";
        self.check_version(uid, &request, lack)?;
        self.open_streams(uid, &request).await.map_err(|error| error.about(id))
    }

    async fn open_streams(&self, uid: &str, request: &Request) -> Result<ExecHandle, RuntimeError> {
        let mut channel = self.client(uid).connect().await?;
        channel.call(request).await?;
        let (input, inputs) = mpsc::channel(CHUNKS);
        let (outputs, output) = mpsc::channel(CHUNKS);
        self.inner.tasks.spawn(pump(channel, inputs, outputs, self.inner.stop.clone()));
        Ok(ExecHandle { input, output })
    }
}

/// Moves both ways, each at its own pace, until the command has ended or nobody listens any more; the shim then kills it.
async fn pump(
    channel: Channel,
    inputs: mpsc::Receiver<ExecInput>,
    outputs: mpsc::Sender<ExecEvent>,
    stop: CancellationToken,
) {
    let (mut sender, mut receiver) = channel.split();
    let feed = async {
        feed(&mut sender, inputs).await;
        // What the command says last is still to come.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = outputs.closed() => {}
        () = feed => {}
        () = drain(&mut receiver, &outputs) => {}
    }
}

async fn feed(sender: &mut Sender, mut inputs: mpsc::Receiver<ExecInput>) {
    loop {
        let input = inputs.recv().await;
        let last = input.is_none();
        if forward(sender, input.unwrap_or(ExecInput::CloseStdin)).await.is_err() || last {
            return;
        }
    }
}

async fn drain(receiver: &mut Receiver, outputs: &mpsc::Sender<ExecEvent>) {
    while let Ok(Some(frame)) = receiver.receive().await {
        let Some(event) = event(receiver, frame) else { continue };
        let last = matches!(event, ExecEvent::Exit(_));
        if outputs.send(event).await.is_err() || last {
            return;
        }
    }
}

async fn forward(sender: &mut Sender, input: ExecInput) -> Result<(), RuntimeError> {
    match input {
        ExecInput::Stdin(bytes) => {
            for chunk in bytes.chunks(64 << 10) {
                sender.send_frame(Kind::Stdin, chunk).await?;
            }
            Ok(())
        }
        ExecInput::CloseStdin => sender.send(&Request::CloseStdin).await,
        ExecInput::Resize(TerminalSize { columns, rows }) => {
            sender.send(&Request::Resize { columns, rows }).await
        }
    }
}

fn event(receiver: &Receiver, frame: Frame) -> Option<ExecEvent> {
    match frame.kind {
        Kind::Stdout => Some(ExecEvent::Stdout(Bytes::from(frame.payload))),
        Kind::Stderr => Some(ExecEvent::Stderr(Bytes::from(frame.payload))),
        Kind::Stdin => None,
        Kind::Json => match receiver.answer(&frame) {
            Ok(Response::Exit(code)) => Some(ExecEvent::Exit(code)),
            _ => None,
        },
    }
}
