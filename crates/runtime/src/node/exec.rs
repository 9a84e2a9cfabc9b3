//! Runs a command in a container: the handle's channels, and the task between them and the shim.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::NodeRuntime;
use super::client::Channel;
use crate::shim::frame::{Frame, Kind};
use crate::shim::protocol::{Request, Response};
use crate::{ExecEvent, ExecHandle, ExecInput, ExecOptions, RuntimeError};

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
        let mut channel = self.client(uid).connect().await?;
        let ExecOptions { stdin, tty } = options;
        let (input, inputs) = mpsc::channel(CHUNKS);
        let (outputs, output) = mpsc::channel(CHUNKS);
        let request = Request::Exec { id: id.to_owned(), command, stdin, tty };
        match channel.call(&request).await {
            Ok(_) => {
                let stop = self.inner.stop.clone();
                self.inner.tasks.spawn(pump(channel, inputs, outputs, stop));
            }
            // As a shell does it: the message on stderr, and the code that says what kind of failure it was.
            Err(RuntimeError::Start { command, message, exit_code }) => {
                let text = format!("{command}: {message}\n");
                for event in [ExecEvent::Stderr(text.into()), ExecEvent::Exit(exit_code)] {
                    outputs.try_send(event).expect("the channel has room for two");
                }
            }
            Err(error) => return Err(error.about(id)),
        }
        Ok(ExecHandle { input, output })
    }
}

/// Moves both ways until the command has ended or nobody listens any more; the shim then kills it.
async fn pump(
    mut channel: Channel,
    mut inputs: mpsc::Receiver<ExecInput>,
    outputs: mpsc::Sender<ExecEvent>,
    stop: CancellationToken,
) {
    let mut open = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = outputs.closed() => return,
            input = inputs.recv(), if open => {
                open = input.is_some();
                if forward(&mut channel, input.unwrap_or(ExecInput::CloseStdin)).await.is_err() {
                    return;
                }
            }
            received = channel.receive() => {
                let Ok(Some(frame)) = received else { return };
                let event = event(&channel, frame);
                let last = matches!(event, Some(ExecEvent::Exit(_)));
                if let Some(event) = event
                    && outputs.send(event).await.is_err()
                {
                    return;
                }
                if last {
                    return;
                }
            }
        }
    }
}

async fn forward(channel: &mut Channel, input: ExecInput) -> Result<(), RuntimeError> {
    match input {
        ExecInput::Stdin(bytes) => {
            for chunk in bytes.chunks(64 << 10) {
                channel.send_frame(Kind::Stdin, chunk).await?;
            }
            Ok(())
        }
        ExecInput::CloseStdin => channel.send(&Request::CloseStdin).await,
        ExecInput::Resize { columns, rows } => channel.send(&Request::Resize { columns, rows }).await,
    }
}

fn event(channel: &Channel, frame: Frame) -> Option<ExecEvent> {
    match frame.kind {
        Kind::Stdout => Some(ExecEvent::Stdout(Bytes::from(frame.payload))),
        Kind::Stderr => Some(ExecEvent::Stderr(Bytes::from(frame.payload))),
        Kind::Stdin => None,
        Kind::Json => match channel.answer(&frame) {
            Ok(Response::Exit(code)) => Some(ExecEvent::Exit(code)),
            _ => None,
        },
    }
}
