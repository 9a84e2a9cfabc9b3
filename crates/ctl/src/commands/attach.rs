//! `attach`: the streams of a container that runs, as they are from now on.

use anyhow::Result;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::pods_client::PodsClient;
use xebec_rpc::v1::{AttachRequest, attach_request};

use crate::output::Out;
use crate::pod_of;
use crate::process::{self, Given, Input, ProcessArgs};
use crate::session::Session;

/// Follows a container to its end: one that has `stdin: true` hears our input, one that has `tty: true` our terminal.
pub(crate) async fn run(session: &Session, args: &ProcessArgs, out: &mut Out) -> Result<()> {
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
    attach(session, &pod, &container, given, out).await.map(drop)
}

/// Follows a container's streams: its exit code, where it ended meanwhile.
pub(crate) async fn attach(
    session: &Session,
    pod: &Object,
    container: &str,
    given: Given,
    out: &mut Out,
) -> Result<Option<i32>> {
    let start = attach_request::Start {
        namespace: session.namespace.clone(),
        pod: pod.name().to_owned(),
        container: container.to_owned(),
        stdin: given.stdin,
        pod_uid: pod.uid().to_owned(),
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
