//! `run`: one pod from an image, and, where it is asked for, its streams as ours until it ends.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use xebec_api::object::Object;
use xebec_api::pod::phase;
use xebec_api::resource::Resource;
use xebec_client::DeleteParams;
use xebec_rpc::error::from_status;
use xebec_rpc::v1::LogsRequest;
use xebec_rpc::v1::pods_client::PodsClient;

use crate::asked;
use crate::commands::attach::attach;
use crate::only::{OnlyArgs, Printed};
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
    /// The port that the container listens at
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Make a Service of the same name for --port, too
    #[arg(long, requires = "port")]
    pub(crate) expose: bool,
    /// Its labels; else run=NAME
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
    /// Its annotations
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<String>,
    /// When the image is looked for elsewhere: Always, IfNotPresent or Never
    #[arg(long, value_name = "POLICY")]
    pub(crate) image_pull_policy: Option<String>,
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
    /// Say nothing beside what it prints
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
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
    let is_tried = !args.only.dry_run.mark().is_empty();
    if follows && is_tried {
        bail!("--dry-run makes no pod that could be followed: leave --attach and -i out");
    }
    let pods = asked::row("pods")?;
    let pod = made(session, args, pods, pod(args)?).await?;
    let mut all = Vec::new();
    if args.expose {
        let services = asked::row("services")?;
        all.push((services, made(session, args, services, service(args)?).await?));
    }
    if !follows {
        all.push((pods, pod));
        let mut printed = Printed::default();
        for (row, object) in all {
            printed.one(&args.only, row, object, "created", out)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let given = Given::asked(args.stdin, args.tty, out)?;
    let followed = follow(session, &args.name, given, out).await;
    if args.rm {
        let params = DeleteParams { uid: pod.uid().to_owned(), ..DeleteParams::default() };
        session.client.delete(pods, &session.namespace, &args.name, &params).await?;
        if !args.quiet {
            out.note(format!("pod {:?} deleted from {} namespace", args.name, session.namespace))?;
        }
    }
    Ok(ExitCode::from(u8::try_from(followed?.unwrap_or_default()).unwrap_or(u8::MAX)))
}

/// The object as it is in the cluster, or would be.
async fn made(
    session: &Session,
    args: &RunArgs,
    row: &'static Resource,
    mut object: Object,
) -> Result<Object> {
    args.only.dry_run.settle_namespace(session, row, &mut object);
    if args.only.dry_run.is_client() {
        return Ok(object);
    }
    Ok(args.only.dry_run.session(session).client.create(row, &object).await?)
}

fn pod(args: &RunArgs) -> Result<Object> {
    let mut container = json!({"name": args.name, "image": args.image});
    let env = pairs("--env", "NAME=VALUE", &args.env)?;
    if !env.is_empty() {
        let env: Vec<Value> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        container["env"] = env.into();
    }
    if !args.words.is_empty() {
        container[if args.command { "command" } else { "args" }] = json!(args.words);
    }
    if let Some(port) = args.port {
        container["ports"] = json!([{"containerPort": port}]);
    }
    if let Some(policy) = &args.image_pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    for (field, is_so) in [("stdin", args.stdin), ("stdinOnce", args.stdin), ("tty", args.tty)] {
        if is_so {
            container[field] = true.into();
        }
    }
    let mut metadata = json!({"name": args.name, "labels": labels(args)?});
    let annotations = pairs("--annotations", "KEY=VALUE", &args.annotations)?;
    if !annotations.is_empty() {
        metadata["annotations"] = annotations.into_iter().collect::<Map<String, Value>>().into();
    }
    let spec = json!({"containers": [container], "restartPolicy": args.restart});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    Ok(Object::from_json(pod.to_string().as_bytes())?)
}

/// The Service of `--expose`.
fn service(args: &RunArgs) -> Result<Object> {
    let port = args.port.unwrap_or_default();
    let ports = json!([{"port": port, "protocol": "TCP", "targetPort": port}]);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": args.name},
        "spec": {"selector": labels(args)?, "ports": ports}});
    Ok(Object::from_json(service.to_string().as_bytes())?)
}

fn labels(args: &RunArgs) -> Result<Map<String, Value>> {
    if args.labels.is_empty() {
        return Ok(std::iter::once(("run".to_owned(), json!(args.name))).collect());
    }
    Ok(pairs("--labels", "KEY=VALUE", &args.labels)?.into_iter().collect())
}

fn pairs(option: &str, form: &str, words: &[String]) -> Result<Vec<(String, Value)>> {
    let pair = |word: &String| {
        let (key, value) = word.split_once('=').ok_or_else(|| anyhow!("{option} {word}: write {form}"))?;
        Ok((key.to_owned(), json!(value)))
    };
    words.iter().map(pair).collect()
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
                said(session, &pod, name, out).await?;
                return Ok(exit_code(&pod));
            }
            other if started.elapsed() > STARTING => {
                bail!("pod {name} is still {other} after {STARTING:?}: see `xctl describe pod {name}`")
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// Prints what the container has printed.
async fn said(session: &Session, pod: &Object, container: &str, out: &mut Out) -> Result<()> {
    let request = LogsRequest {
        namespace: session.namespace.clone(),
        pod: pod.name().to_owned(),
        pod_uid: pod.uid().to_owned(),
        container: container.to_owned(),
        ..LogsRequest::default()
    };
    let answer = session.client.ask(true, |channel| {
        let request = request.clone();
        async move { Ok(PodsClient::new(channel).logs(request).await?.into_inner()) }
    });
    let mut chunks = answer.await?;
    while let Some(chunk) = chunks.message().await.map_err(|status| from_status(&status))? {
        out.raw(&chunk.data)?;
    }
    Ok(())
}

fn exit_code(pod: &Object) -> Option<i32> {
    let status = pod.get(&["status", "containerStatuses"]).and_then(Value::as_array)?.first()?;
    i32::try_from(status["state"]["terminated"]["exitCode"].as_i64()?).ok()
}
