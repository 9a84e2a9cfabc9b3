//! `create job` and `create cronjob`: one container from an image, to its end; or a CronJob's Job, now.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::asked;
use crate::only::OnlyArgs;
use crate::session::Session;

/// By which a Job says that a person asked for it, and not the time.
const INSTANTIATED: &str = "cronjob.kubernetes.io/instantiate";

#[derive(Args)]
pub(crate) struct JobArgs {
    pub(crate) name: String,
    /// The image
    #[arg(long, required_unless_present = "from", conflicts_with = "from")]
    pub(crate) image: Option<String>,
    /// As this CronJob makes them
    #[arg(long, value_name = "cronjob/NAME", conflicts_with = "command")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
    /// What to run instead of the image's command
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Args)]
pub(crate) struct CronJobArgs {
    pub(crate) name: String,
    /// The image
    #[arg(long)]
    pub(crate) image: String,
    /// When, such as '*/5 * * * *'
    #[arg(long)]
    pub(crate) schedule: String,
    /// What becomes of a container that ends badly: OnFailure or Never
    #[arg(long, default_value = "OnFailure")]
    pub(crate) restart: String,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
    /// What to run instead of the image's command
    #[arg(last = true)]
    pub(crate) command: Vec<String>,
}

/// The Job.
pub(super) async fn job(session: &Session, args: &JobArgs) -> Result<Object> {
    if let Some(from) = &args.from {
        return of_cron_job(session, &args.name, from).await;
    }
    let image = args.image.as_deref().unwrap_or_default();
    let mut object = shell("batch/v1", "Job", &args.name);
    object.set(&["spec", "template", "spec"], pod_spec(&args.name, image, &args.command, "Never"));
    Ok(object)
}

/// The CronJob.
pub(super) fn cron_job(args: &CronJobArgs) -> Object {
    let spec = pod_spec(&args.name, &args.image, &args.command, &args.restart);
    let mut object = shell("batch/v1", "CronJob", &args.name);
    object.set(&["spec", "schedule"], args.schedule.as_str());
    object.set(&["spec", "jobTemplate", "metadata", "name"], args.name.as_str());
    object.set(&["spec", "jobTemplate", "spec", "template", "spec"], spec);
    object
}

fn pod_spec(name: &str, image: &str, command: &[String], restart: &str) -> Value {
    let mut container = json!({"name": name, "image": image});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    json!({"containers": [container], "restartPolicy": restart})
}

async fn of_cron_job(session: &Session, name: &str, from: &str) -> Result<Object> {
    let wrong = || anyhow!("--from {from}: write cronjob/NAME");
    let (kind, of) = from.split_once('/').ok_or_else(wrong)?;
    let row = asked::row(kind)?;
    if row.kind != "CronJob" {
        bail!(wrong());
    }
    let cron_job = session.client.get(row, &session.namespace, of).await?;
    let mut job = shell("batch/v1", "Job", name);
    for field in ["labels", "annotations"] {
        if let Some(map) = cron_job.get(&["spec", "jobTemplate", "metadata", field]) {
            job.set(&["metadata", field], map.clone());
        }
    }
    job.set(&["metadata", "annotations", INSTANTIATED], "manual");
    let owner = json!({"apiVersion": row.api_version(), "kind": row.kind, "name": cron_job.name(),
        "uid": cron_job.uid(), "controller": true});
    job.set(&["metadata", "ownerReferences"], json!([owner]));
    if let Some(spec) = cron_job.get(&["spec", "jobTemplate", "spec"]) {
        job.set(&["spec"], spec.clone());
    }
    Ok(job)
}
