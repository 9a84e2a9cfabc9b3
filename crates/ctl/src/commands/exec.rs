//! `exec`: a command inside a container; its exit code is ours.

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use nix::sys::termios::{self, SetArg, Termios};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::pods_client::PodsClient;
use xebec_rpc::v1::{ExecRequest, exec_request, exec_response};

use crate::output::Out;
use crate::pod_of;
use crate::session::Session;

/// Input that may wait for the network.
const CHUNKS: usize = 16;
const CHUNK_BYTES: usize = 16 << 10;

/// Where to run what.
#[derive(Args)]
pub(crate) struct ExecArgs {
    /// POD or TYPE/NAME, such as deployment/web
    pub(crate) pod: String,
    /// Which container; else the first
    #[arg(short, long, default_value = "")]
    pub(crate) container: String,
    /// Pass our input on
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// With a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<String>,
}

/// Runs it to its end.
pub(crate) async fn run(session: &Session, args: &ExecArgs, out: &mut Out) -> Result<ExitCode> {
    let pod = pod_of::named(session, &args.pod).await?;
    let start = exec_request::Start {
        namespace: session.namespace.clone(),
        pod: pod.name().to_owned(),
        container: args.container.clone(),
        command: args.command.clone(),
        stdin: args.stdin,
        tty: args.tty,
    };
    let (sender, receiver) = mpsc::channel(CHUNKS);
    // An empty channel takes the first message.
    let _ = sender.send(request(exec_request::Message::Start(start))).await;
    let mut pods = PodsClient::new(session.client.channel().await?);
    let answer = pods.exec(ReceiverStream::new(receiver)).await;
    let mut answer = answer.map_err(|status| from_status(&status))?.into_inner();
    let _raw = if args.tty { RawTerminal::enter() } else { None };
    let input = args.stdin.then(|| tokio::spawn(pass_input(sender.clone())));
    let mut code = None;
    while let Some(message) = answer.message().await.map_err(|status| from_status(&status))? {
        match message.message {
            Some(exec_response::Message::Stdout(bytes)) => out.raw(&bytes)?,
            Some(exec_response::Message::Stderr(bytes)) => out.raw_error(&bytes)?,
            Some(exec_response::Message::ExitCode(exit)) => code = Some(exit),
            None => bail!("the server sent something that this client does not know: use a newer xctl"),
        }
    }
    if let Some(input) = input {
        input.abort();
    }
    let code =
        code.ok_or_else(|| anyhow!("the connection ended before the command did: see `xctl get pods`"))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn request(message: exec_request::Message) -> ExecRequest {
    ExecRequest { message: Some(message) }
}

async fn pass_input(sender: mpsc::Sender<ExecRequest>) {
    let mut input = tokio::io::stdin();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let message = match input.read(&mut chunk).await {
            Ok(0) | Err(_) => exec_request::Message::StdinClosed(true),
            Ok(length) => exec_request::Message::Stdin(chunk[..length].to_vec().into()),
        };
        let last = matches!(message, exec_request::Message::StdinClosed(_));
        if sender.send(request(message)).await.is_err() || last {
            return;
        }
    }
}

/// Our terminal passes every key on, until this is dropped.
struct RawTerminal(Termios);

impl RawTerminal {
    fn enter() -> Option<Self> {
        let before = termios::tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no setting back.
        let _ = termios::tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}
