//! `attach`: the streams of a container that runs, as they are from now on.

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::pods_client::PodsClient;
use xebec_rpc::v1::{AttachRequest, attach_request};

use crate::output::Out;
use crate::pod_of;
use crate::process::{self, Given, Input};
use crate::session::Session;

/// Which container's.
#[derive(Args)]
pub(crate) struct AttachArgs {
    /// POD or TYPE/NAME, such as deployment/web
    pub(crate) pod: String,
    /// Which container; else the first
    #[arg(short, long, default_value = "")]
    pub(crate) container: String,
    /// Pass our input on, to a container that has `stdin: true`
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// Our terminal is the container's, which has `tty: true`
    #[arg(short, long)]
    pub(crate) tty: bool,
}

/// Follows it to the container's end.
pub(crate) async fn run(session: &Session, args: &AttachArgs, out: &mut Out) -> Result<()> {
    let pod = pod_of::named(session, &args.pod).await?;
    let container = pod_of::container(&pod, &args.container, out)?;
    let has = |field: &str| has(&pod, &container, field);
    if args.stdin && !has("stdin") {
        out.note(format!("error: container {container} has no stdin: its spec does not say `stdin: true`"))?;
    }
    if args.tty && !has("tty") {
        out.note(format!("Unable to use a TTY - container {container} did not allocate one"))?;
    }
    let given = Given::asked(args.stdin && has("stdin"), args.tty && has("tty"), out)?;
    attach(session, pod.name(), &container, given, out).await.map(drop)
}

/// Follows a container's streams: its exit code, where it ended meanwhile.
pub(crate) async fn attach(
    session: &Session,
    pod: &str,
    container: &str,
    given: Given,
    out: &mut Out,
) -> Result<Option<i32>> {
    let start = attach_request::Start {
        namespace: session.namespace.clone(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        stdin: given.stdin,
        ..attach_request::Start::default()
    };
    let first = AttachRequest { message: Some(attach_request::Message::Start(start)) };
    let (sender, requests) = process::requests(first);
    let mut pods = PodsClient::new(session.client.channel().await?);
    let answers = pods.attach(requests).await.map_err(|status| from_status(&status))?.into_inner();
    if given.stdin && given.tty {
        out.note("If you don't see a command prompt, try pressing enter.")?;
    }
    process::follow(answers, sender, request, given, out).await
}

/// Whether a container's spec says so.
fn has(pod: &Object, container: &str, field: &str) -> bool {
    let containers = pod.get(&["spec", "containers"]).and_then(Value::as_array);
    let found = containers.into_iter().flatten().find(|found| found["name"] == container);
    found.is_some_and(|found| found[field] == true)
}

fn request(input: Input) -> AttachRequest {
    let message = match input {
        Input::Stdin(bytes) => attach_request::Message::Stdin(bytes),
        Input::Closed => attach_request::Message::StdinClosed(true),
        Input::Resize(size) => attach_request::Message::Resize(size),
    };
    AttachRequest { message: Some(message) }
}
