//! `drain`: closes nodes for new pods and has those that are there leave, by evictions, so
//! that budgets are heeded.

mod plan;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use futures::future::join_all;
use serde_json::json;
use tokio::time::{sleep, timeout};
use xebec_api::object::Object;
use xebec_client::{ApiError, ListParams, Reason};

use crate::commands::cordon::{self, Nodes};
use crate::dry_run::DryRun;
use crate::output::Out;
use crate::session::Session;
use crate::{asked, durations};

/// Until an eviction that a budget refused is tried again, as in kubectl.
const RETRY: Duration = Duration::from_secs(5);
/// Between two looks whether a pod is gone.
const LOOK: Duration = Duration::from_millis(500);

/// Which nodes, and what may be lost.
#[derive(Args)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    pub(crate) which: Nodes,
    /// Leave the pods of DaemonSets, which would come back at once
    #[arg(long)]
    pub(crate) ignore_daemonsets: bool,
    /// Also pods with emptyDir volumes, whose data is lost
    #[arg(long, visible_alias = "delete-local-data")]
    pub(crate) delete_emptydir_data: bool,
    /// Also pods that nothing makes anew
    #[arg(long)]
    pub(crate) force: bool,
    /// Seconds for each pod to end in; -1 for its own
    #[arg(long, default_value_t = -1, allow_hyphen_values = true)]
    pub(crate) grace_period: i64,
    /// How long to go on at most; 0 for ever
    #[arg(long, value_parser = durations::parse, default_value = "0s")]
    pub(crate) timeout: Duration,
    /// Only pods with these labels
    #[arg(long, default_value = "")]
    pub(crate) pod_selector: String,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Drains one after the other.
pub(crate) async fn run(session: &Session, args: &DrainArgs, out: &mut Out) -> Result<ExitCode> {
    for name in args.which.names(session).await? {
        let name = name.as_str();
        cordon::one(session, args.dry_run, true, name, out).await?;
        let drained = node(session, args, name, out);
        if args.timeout.is_zero() {
            drained.await?;
        } else {
            let late =
                || anyhow!("unable to drain node {name:?}: global timeout reached: {:?}", args.timeout);
            timeout(args.timeout, drained).await.map_err(|_| late())??;
        }
        out.line(format!("node/{name} drained{}", args.dry_run.mark()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn node(session: &Session, args: &DrainArgs, name: &str, out: &mut Out) -> Result<()> {
    let params = ListParams {
        field_selector: format!("spec.nodeName={name}"),
        label_selector: args.pod_selector.clone(),
    };
    let pods = session.client.list(asked::row("pods")?, "", &params).await?.items;
    let plan = plan::of(&pods, args);
    if !plan.refused.is_empty() {
        bail!("unable to drain node {name:?}: {}", plan.refused.join(", "));
    }
    for warning in plan.warnings {
        out.note(format!("Warning: {warning}"))?;
    }
    for pod in &plan.leaving {
        out.line(format!("evicting pod {}/{}{}", pod.namespace(), pod.name(), args.dry_run.mark()))?;
    }
    if args.dry_run.is_client() {
        return Ok(());
    }
    let evictions = plan.leaving.iter().map(|pod| leave(session, args, pod));
    for (outcome, pod) in join_all(evictions).await.into_iter().zip(&plan.leaving) {
        outcome.map_err(|error| anyhow!("pod {}/{}: {error}", pod.namespace(), pod.name()))?;
        out.line(format!("pod/{} evicted", pod.name()))?;
    }
    Ok(())
}

/// Evicts a pod, as often as a budget refuses it, and waits until it is gone.
async fn leave(session: &Session, args: &DrainArgs, pod: &Object) -> Result<(), ApiError> {
    let row = asked::row("pods").map_err(|error| ApiError::new(Reason::InternalError, error.to_string()))?;
    let session = &args.dry_run.session(session);
    let mut eviction = Object::default();
    eviction.set(&["apiVersion"], "policy/v1");
    eviction.set(&["kind"], "Eviction");
    eviction.set(&["metadata"], json!({"name": pod.name(), "namespace": pod.namespace()}));
    if args.grace_period >= 0 {
        eviction.set(&["deleteOptions", "gracePeriodSeconds"], args.grace_period);
    }
    loop {
        let evicted =
            session.client.create_subresource(row, pod.namespace(), pod.name(), "eviction", &eviction).await;
        match evicted {
            Ok(_) => break,
            Err(error) if error.reason == Reason::NotFound => return Ok(()),
            Err(error) if error.reason == Reason::TooManyRequests => sleep(RETRY).await,
            Err(error) => return Err(error),
        }
    }
    if args.dry_run.mark().is_empty() {
        while session
            .client
            .find(row, pod.namespace(), pod.name())
            .await?
            .is_some_and(|it| it.uid() == pod.uid())
        {
            sleep(LOOK).await;
        }
    }
    Ok(())
}
