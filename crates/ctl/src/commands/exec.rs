//! `exec`: a command inside a container; its exit code is ours.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::pods_client::PodsClient;
use xebec_rpc::v1::{ExecRequest, exec_request};

use crate::output::Out;
use crate::process::{self, Given, Input};
use crate::session::Session;
use crate::{pod_of, terminal};

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
    /// With a terminal, of our terminal's size
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<String>,
}

/// Runs it to its end.
pub(crate) async fn run(session: &Session, args: &ExecArgs, out: &mut Out) -> Result<ExitCode> {
    let pod = pod_of::named(session, &args.pod).await?;
    let given = Given::asked(args.stdin, args.tty, out)?;
    let start = exec_request::Start {
        namespace: session.namespace.clone(),
        pod: pod.name().to_owned(),
        container: pod_of::container(&pod, &args.container, out)?,
        command: args.command.clone(),
        stdin: given.stdin,
        tty: given.tty,
        size: terminal::size().filter(|_| given.tty),
        pod_uid: pod.uid().to_owned(),
    };
    let (sender, requests) =
        process::requests(ExecRequest { message: Some(exec_request::Message::Start(start)) });
    let mut pods = PodsClient::new(session.client.channel().await?);
    let answers = pods.exec(requests).await.map_err(|status| from_status(&status))?.into_inner();
    let code = process::follow(answers, sender, request, given, out).await?;
    let code =
        code.ok_or_else(|| anyhow!("the connection ended before the command did: see `xctl get pods`"))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn request(input: Input) -> ExecRequest {
    let message = match input {
        Input::Stdin(bytes) => exec_request::Message::Stdin(bytes),
        Input::Closed => exec_request::Message::StdinClosed(true),
        Input::Resize(size) => exec_request::Message::Resize(size),
    };
    ExecRequest { message: Some(message) }
}
