//! `exec` and `attach` over a WebSocket: the streams of a command or of a container as channels.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use xebec_api::error::ApiError;
use xebec_rpc::v1::{attach_request, exec_request, exec_response};

use super::channels::{self, Input, PROTOCOLS};
use super::socket::{self, Incoming, WAITING};
use super::{StreamRequest, bad};
use crate::ApiServer;
use crate::pod_streams::Outputs;
use crate::rest::Query;

/// Which streams a client wants.
#[derive(Clone, Copy)]
struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

impl Wanted {
    fn of(query: &Query) -> Result<Self, ApiError> {
        let tty = query.flag("tty");
        // A terminal has one output.
        let stderr = query.flag("stderr") && !tty;
        let wanted = Self { stdin: query.flag("stdin"), stdout: query.flag("stdout"), stderr, tty };
        if !(wanted.stdin || wanted.stdout || wanted.stderr) {
            return Err(bad("you must specify at least 1 of stdin, stdout, stderr"));
        }
        Ok(wanted)
    }
}

pub(super) async fn serve(server: &Arc<ApiServer>, stream: StreamRequest) -> Result<Response, ApiError> {
    let wanted = Wanted::of(&stream.query)?;
    let (ctx, target) = (&stream.context, &stream.target);
    let container = stream.query.get("container").to_owned();
    let upgrade = match socket::upgrade(stream.request, &PROTOCOLS).await {
        Ok(upgrade) => upgrade,
        // What is wrong with the pod is said first, as a client that tries another way then asks for.
        Err(error) => {
            return Err(server.check_pod_stream(ctx, target, &container).await.err().unwrap_or(error));
        }
    };
    let (sender, input) = mpsc::channel(WAITING);
    let (namespace, pod) = (target.namespace.clone(), target.name.clone());
    let outputs = if target.subresource == "exec" {
        let command = stream.query.all("command").map(str::to_owned).collect();
        let start = exec_request::Start {
            namespace,
            pod,
            container,
            command,
            stdin: wanted.stdin,
            tty: wanted.tty,
            ..exec_request::Start::default()
        };
        server.pod_exec(ctx, start, ReceiverStream::new(input).map(exec_message).boxed()).await?
    } else {
        let stdin = wanted.stdin;
        let start = attach_request::Start { namespace, pod, container, stdin, ..Default::default() };
        server.pod_attach(ctx, start, ReceiverStream::new(input).map(attach_message).boxed()).await?
    };
    let tells_code = target.subresource == "exec";
    Ok(socket::open(upgrade, move |incoming, outgoing| async move {
        tokio::select! {
            () = feed(wanted, incoming, sender) => {}
            () = drain(wanted, tells_code, outputs, outgoing) => {}
        }
    }))
}

fn exec_message(input: Input) -> exec_request::Message {
    match input {
        Input::Stdin(bytes) => exec_request::Message::Stdin(bytes),
        Input::StdinClosed => exec_request::Message::StdinClosed(true),
        Input::Resize(size) => exec_request::Message::Resize(size),
    }
}

fn attach_message(input: Input) -> attach_request::Message {
    match input {
        Input::Stdin(bytes) => attach_request::Message::Stdin(bytes),
        Input::StdinClosed => attach_request::Message::StdinClosed(true),
        Input::Resize(size) => attach_request::Message::Resize(size),
    }
}

/// Ends with the client, and with it the process.
async fn feed(wanted: Wanted, mut incoming: Incoming, input: mpsc::Sender<Input>) {
    while let Some(message) = incoming.next().await {
        let Some(said) = channels::decode(message) else { continue };
        let taken = wanted.stdin || matches!(said, Input::Resize(_));
        if taken && input.send(said).await.is_err() {
            // The process is ending; what it says last is still to come.
            std::future::pending::<()>().await;
        }
    }
}

/// Ends with the process: how it ended goes last. Of one that was attached to, clients ask the pod's status, and take
/// another code than 0 for a failure to attach.
async fn drain(wanted: Wanted, tells_code: bool, mut outputs: Outputs, outgoing: mpsc::Sender<Bytes>) {
    let (mut code, mut message) = (None, Some(channels::opened(wanted.stdout, wanted.stderr)));
    loop {
        if let Some(message) = message.take()
            && outgoing.send(message).await.is_err()
        {
            return;
        }
        message = match outputs.next().await {
            Some(Ok(exec_response::Message::Stdout(bytes))) => {
                wanted.stdout.then(|| channels::stdout(&bytes))
            }
            Some(Ok(exec_response::Message::Stderr(bytes))) => {
                wanted.stderr.then(|| channels::stderr(&bytes))
            }
            Some(Ok(exec_response::Message::ExitCode(exit))) => {
                code = Some(exit).filter(|_| tells_code);
                None
            }
            Some(Err(error)) => {
                // The client may be gone with the rest.
                let _ = outgoing.send(channels::failed(&error)).await;
                return;
            }
            None => break,
        };
    }
    // As above.
    let _ = outgoing.send(channels::ended(code)).await;
}
