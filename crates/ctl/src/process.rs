//! A process in a container, on our own streams: what exec, attach and run share.

use anyhow::{Result, bail};
use bytes::Bytes;
use clap::Args;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::{ExecResponse, TerminalSize, exec_response};

use crate::output::Out;
use crate::terminal;

/// Input that may wait for the network.
const CHUNKS: usize = 16;
const CHUNK_BYTES: usize = 16 << 10;

/// Which container, and what of ours its process is given.
#[derive(Args)]
pub(crate) struct ProcessArgs {
    /// POD or TYPE/NAME, such as deployment/web
    pub(crate) pod: String,
    /// Which container; else the first
    #[arg(short, long, default_value = "")]
    pub(crate) container: String,
    /// Pass our input on
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Our terminal is the process's, and so is its size
    #[arg(short, long)]
    pub(crate) tty: bool,
}

/// What goes to the process.
pub(crate) enum Input {
    /// Something typed.
    Stdin(Bytes),
    /// Nothing more is typed.
    Closed,
    /// The terminal has another size.
    Resize(TerminalSize),
}

/// What the process is given of ours.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    /// Our input.
    pub(crate) stdin: bool,
    /// Our terminal.
    pub(crate) tty: bool,
}

impl Given {
    /// As the options ask for it; says so where there is no terminal to give.
    pub(crate) fn asked(stdin: bool, tty: bool, out: &mut Out) -> Result<Self> {
        if tty && stdin && !terminal::is_there() {
            out.note("Unable to use a TTY - input is not a terminal or the right kind of file")?;
        }
        Ok(Self { stdin, tty })
    }
}

/// The requests of a call: the first, and what follows it.
pub(crate) fn requests<T: Send + 'static>(first: T) -> (mpsc::Sender<T>, ReceiverStream<T>) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let _ = sender.try_send(first);
    (sender, ReceiverStream::new(receiver))
}

/// Passes everything both ways until the process ends: its exit code. None where only the connection to it ended.
///
/// # Errors
/// The server's; and a signal that ends us, so that the terminal is left as it was.
pub(crate) async fn follow<T: Send + 'static>(
    mut answers: Streaming<ExecResponse>,
    sender: mpsc::Sender<T>,
    request: fn(Input) -> T,
    given: Given,
    out: &mut Out,
) -> Result<Option<i32>> {
    let _raw = if given.tty && given.stdin { terminal::Raw::enter() } else { None };
    // Ends with us.
    let mut passing = JoinSet::new();
    if given.tty {
        passing.spawn(pass_sizes(sender.clone(), request));
    }
    if given.stdin {
        passing.spawn(pass_input(sender, request));
    } else {
        drop(sender);
    }
    let (mut terminated, mut hung_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let mut code = None;
    loop {
        let message = tokio::select! {
            message = answers.message() => message.map_err(|status| from_status(&status))?,
            _ = terminated.recv() => bail!("terminated"),
            _ = hung_up.recv() => bail!("the terminal is gone"),
        };
        let Some(message) = message else { return Ok(code) };
        match message.message {
            Some(exec_response::Message::Stdout(bytes)) => out.raw(&bytes)?,
            Some(exec_response::Message::Stderr(bytes)) => out.raw_error(&bytes)?,
            Some(exec_response::Message::ExitCode(exit)) => code = Some(exit),
            None => bail!("the server sent something that this client does not know: use a newer xctl"),
        }
    }
}

async fn pass_input<T>(sender: mpsc::Sender<T>, request: fn(Input) -> T) {
    let mut input = tokio::io::stdin();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let message = match input.read(&mut chunk).await {
            Ok(0) | Err(_) => Input::Closed,
            Ok(length) => Input::Stdin(Bytes::copy_from_slice(&chunk[..length])),
        };
        let last = matches!(message, Input::Closed);
        if sender.send(request(message)).await.is_err() || last {
            return;
        }
    }
}

/// The size now, and whenever it changes.
async fn pass_sizes<T>(sender: mpsc::Sender<T>, request: fn(Input) -> T) {
    let Ok(mut changed) = signal(SignalKind::window_change()) else { return };
    loop {
        if let Some(size) = terminal::size()
            && sender.send(request(Input::Resize(size))).await.is_err()
        {
            return;
        }
        changed.recv().await;
    }
}
