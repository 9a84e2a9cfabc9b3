//! `wait`: until objects are as asked for: a condition, a field, there, or gone.

mod goal;

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use xebec_api::resource::Resource;
use xebec_client::{Cache, Selection};

use crate::chosen::{self, Choice};
use crate::durations;
use crate::output::Out;
use crate::session::{Session, reference};
use goal::Goal;

/// What to wait for.
#[derive(Args)]
pub(crate) struct WaitArgs {
    /// TYPE NAME… or TYPE/NAME…
    #[arg(required_unless_present = "filename")]
    pub(crate) words: Vec<String>,
    /// condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE], create or delete
    #[arg(long, value_parser = Goal::parse)]
    pub(crate) r#for: Goal,
    /// How long to wait at most; 0 to look once, below 0 for a week
    #[arg(long, value_parser = patience, default_value = "30s", allow_hyphen_values = true)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// As long as kubectl waits for ever.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn patience(text: &str) -> Result<Duration, String> {
    match text.strip_prefix('-') {
        Some(below) => durations::parse(below).map(|_| WEEK),
        None => durations::parse(text),
    }
}

/// Waits for each.
pub(crate) async fn run(session: &Session, args: &WaitArgs, out: &mut Out) -> Result<()> {
    let targets = chosen::targets(session, &args.words, &args.choice).await?;
    if targets.is_empty() {
        bail!("no matching resources found");
    }
    let mut late = Vec::new();
    let deadline = tokio::time::Instant::now() + args.timeout;
    for target in targets {
        let (row, namespace, name) = target.map_err(|error| anyhow!(error))?;
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        match timeout(left, one(session, &args.r#for, row, &namespace, &name)).await {
            Ok(outcome) => {
                outcome?;
                out.line(format!("{} condition met", reference(row, &name)))?;
            }
            Err(_) => late.push(format!("timed out waiting for the condition on {}/{name}", row.plural)),
        }
    }
    if late.is_empty() { Ok(()) } else { bail!("{}", late.join("; ")) }
}

async fn one(
    session: &Session,
    goal: &Goal,
    row: &'static Resource,
    namespace: &str,
    name: &str,
) -> Result<()> {
    let present = session.client.find(row, namespace, name).await?;
    if goal.is_reached(present.as_ref()) {
        return Ok(());
    }
    if present.is_none() && !goal.waits_for_it_to_come() {
        return Err(session.client.get(row, namespace, name).await.map(drop).err().map_or_else(
            || anyhow!("{} has only just been created: try again", reference(row, name)),
            Into::into,
        ));
    }
    let selection = Selection {
        namespace: namespace.to_owned(),
        field_selector: format!("metadata.name={name}"),
        ..Selection::all(row)
    };
    let (cache, mut changes) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    let outcome = loop {
        if goal.is_reached(cache.get(namespace, name).as_deref()) {
            break Ok(());
        }
        if let Err(RecvError::Closed) = changes.recv().await {
            break Err(anyhow!("the watch ended: run it again"));
        }
    };
    cache.stop().await;
    outcome
}
