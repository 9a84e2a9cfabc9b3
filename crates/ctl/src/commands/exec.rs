//! `exec`: a command inside a container; its exit code is ours.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;
use tokio::sync::mpsc;
use tonic::Streaming;
use xebec_api::object::Object;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::pods_client::PodsClient;
use xebec_rpc::v1::{ExecRequest, ExecResponse, exec_request};

use crate::output::Out;
use crate::process::{self, Given, Input, ProcessArgs};
use crate::session::Session;
use crate::{pod_of, terminal};

/// Where to run what.
#[derive(Args)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
    /// The command and its arguments
    #[arg(required = true, last = true)]
    pub(crate) command: Vec<String>,
}

/// Runs it to its end.
pub(crate) async fn run(session: &Session, args: &ExecArgs, out: &mut Out) -> Result<ExitCode> {
    let ProcessArgs { pod, container, stdin, tty } = &args.process;
    let pod = pod_of::named(session, pod).await?;
    let given = Given::asked(*stdin, *tty, out)?;
    let container = pod_of::container(&pod, container, out)?;
    let (sender, answers) = start(session, &pod, &container, args.command.clone(), given).await?;
    let code = process::follow(answers, sender, request, given, out).await?;
    let code =
        code.ok_or_else(|| anyhow!("the connection ended before the command did: see `xctl get pods`"))?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Starts a command: what goes to it, and what it says.
pub(crate) async fn start(
    session: &Session,
    pod: &Object,
    container: &str,
    command: Vec<String>,
    given: Given,
) -> Result<(mpsc::Sender<ExecRequest>, Streaming<ExecResponse>)> {
    let start = exec_request::Start {
        namespace: session.namespace.clone(),
        pod: pod.name().to_owned(),
        container: container.to_owned(),
        command,
        stdin: given.stdin,
        tty: given.tty,
        size: terminal::size().filter(|_| given.tty),
        pod_uid: pod.uid().to_owned(),
    };
    let first = ExecRequest { message: Some(exec_request::Message::Start(start)) };
    let (sender, requests) = process::requests(first);
    let mut pods = PodsClient::new(session.client.channel().await?);
    let answers = pods.exec(requests).await.map_err(|status| from_status(&status))?.into_inner();
    Ok((sender, answers))
}

fn request(input: Input) -> ExecRequest {
    let message = match input {
        Input::Stdin(bytes) => exec_request::Message::Stdin(bytes),
        Input::Closed => exec_request::Message::StdinClosed(true),
        Input::Resize(size) => exec_request::Message::Resize(size),
    };
    ExecRequest { message: Some(message) }
}
