//! `run`: one pod from an image, and, where it is asked for, its streams as ours until it ends.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;
use xebec_api::object::Object;
use xebec_api::pod::phase;
use xebec_client::DeleteParams;

use crate::asked;
use crate::commands::attach::attach;
use crate::output::Out;
use crate::process::Given;
use crate::session::Session;

/// How long the pod may take to run.
const STARTING: Duration = Duration::from_secs(60);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// The pod's name, and its container's
    pub(crate) name: String,
    /// The image
    #[arg(long)]
    pub(crate) image: String,
    /// What becomes of a container that ends: Always, OnFailure or Never
    #[arg(long, default_value = "Always")]
    pub(crate) restart: String,
    /// NAME=VALUE, for its environment
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Pass our input on, and follow it to its end
    #[arg(short = 'i', long)]
    pub(crate) stdin: bool,
    /// With a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Follow it to its end
    #[arg(long)]
    pub(crate) attach: bool,
    /// Delete it once it was followed
    #[arg(long)]
    pub(crate) rm: bool,
    /// The words are the command, not the image's command's arguments
    #[arg(long)]
    pub(crate) command: bool,
    /// What the image's command is given
    #[arg(last = true)]
    pub(crate) words: Vec<String>,
}

/// Makes the pod, and follows it where that is asked for; the exit code is then the container's.
pub(crate) async fn run(session: &Session, args: &RunArgs, out: &mut Out) -> Result<ExitCode> {
    let follows = args.attach || args.stdin;
    if args.rm && !follows {
        bail!("--rm deletes what was followed to its end: add --attach or -i");
    }
    let pods = asked::row("pods")?;
    let pod = session.client.create(pods, &pod(session, args)?).await?;
    if !follows {
        out.line(format!("pod/{} created", args.name))?;
        return Ok(ExitCode::SUCCESS);
    }
    let given = Given::asked(args.stdin, args.tty, out)?;
    let followed = follow(session, &args.name, given, out).await;
    if args.rm {
        let params = DeleteParams { uid: pod.uid().to_owned(), ..DeleteParams::default() };
        session.client.delete(pods, &session.namespace, &args.name, &params).await?;
        out.note(format!("pod {:?} deleted from {} namespace", args.name, session.namespace))?;
    }
    Ok(ExitCode::from(u8::try_from(followed?.unwrap_or_default()).unwrap_or(u8::MAX)))
}

fn pod(session: &Session, args: &RunArgs) -> Result<Object> {
    let mut env = Vec::new();
    for pair in &args.env {
        let Some((name, value)) = pair.split_once('=') else { bail!("--env {pair}: write NAME=VALUE") };
        env.push(json!({"name": name, "value": value}));
    }
    let mut container = json!({"name": args.name, "image": args.image, "env": env});
    if !args.words.is_empty() {
        container[if args.command { "command" } else { "args" }] = json!(args.words);
    }
    for (field, is_so) in [("stdin", args.stdin), ("stdinOnce", args.stdin), ("tty", args.tty)] {
        if is_so {
            container[field] = true.into();
        }
    }
    let metadata = json!({"name": args.name, "namespace": session.namespace, "labels": {"run": args.name}});
    let spec = json!({"containers": [container], "restartPolicy": args.restart});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    Ok(Object::from_json(pod.to_string().as_bytes())?)
}

async fn follow(session: &Session, name: &str, given: Given, out: &mut Out) -> Result<Option<i32>> {
    let pods = asked::row("pods")?;
    let started = Instant::now();
    loop {
        let pod = session.client.get(pods, &session.namespace, name).await?;
        match phase(&pod) {
            "Running" => return attach(session, &pod, name, given, out).await,
            // It was faster than we are.
            "Succeeded" | "Failed" => {
                out.note(format!("pod {name} has ended already: `xctl logs {name}` shows what it said"))?;
                return Ok(exit_code(&pod));
            }
            other if started.elapsed() > STARTING => {
                bail!("pod {name} is still {other} after {STARTING:?}: see `xctl describe pod {name}`")
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

fn exit_code(pod: &Object) -> Option<i32> {
    let status = pod.get(&["status", "containerStatuses"]).and_then(Value::as_array)?.first()?;
    i32::try_from(status["state"]["terminated"]["exitCode"].as_i64()?).ok()
}
