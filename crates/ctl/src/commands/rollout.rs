//! `rollout`: follow one, start one anew, or go back to an older template.

mod history;
mod progress;
mod undo;

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use xebec_api::resource::Resource;
use xebec_client::{Cache, ListParams, Patch, Selection};

use crate::change::change;
use crate::output::Out;
use crate::session::{Session, reference};
use crate::{asked, durations};
use progress::Progress;

/// What `kubectl rollout restart` sets too.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

#[derive(Subcommand)]
pub(crate) enum RolloutCommand {
    /// Follow a rollout to its end
    Status(StatusArgs),
    /// Replace every pod, by and by
    Restart(WordsArgs),
    /// Go back to an older template
    Undo(UndoArgs),
    /// Show the revisions there are
    History(HistoryArgs),
    /// Let changes of a deployment's template wait
    Pause(WordsArgs),
    /// Let a paused deployment go on
    Resume(WordsArgs),
}

#[derive(Args)]
pub(crate) struct WordsArgs {
    /// TYPE NAME…, TYPE/NAME…, or TYPE for all of them
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Only those with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) what: WordsArgs,
    /// Wait for the end
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) watch: bool,
    /// How long to wait at most; 0 for ever
    #[arg(long, value_parser = durations::parse, default_value = "0s")]
    pub(crate) timeout: Duration,
}

#[derive(Args)]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    pub(crate) what: WordsArgs,
    /// Which one; 0 for the one before
    #[arg(long, default_value_t = 0)]
    pub(crate) to_revision: i64,
}

#[derive(Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) what: WordsArgs,
    /// Show the template of this one
    #[arg(long, default_value_t = 0)]
    pub(crate) revision: i64,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: &RolloutCommand, out: &mut Out) -> Result<()> {
    match command {
        RolloutCommand::Status(args) => {
            for (row, name) in named(session, &args.what).await? {
                let followed = status(session, args.watch, row, &name, out);
                if args.timeout.is_zero() {
                    followed.await?;
                } else {
                    let late = || {
                        anyhow!("{} is not rolled out yet: `xctl describe` says why", reference(row, &name))
                    };
                    timeout(args.timeout, followed).await.map_err(|_| late())??;
                }
            }
        }
        RolloutCommand::Restart(args) => {
            for (row, name) in named(session, args).await? {
                restart(session, row, &name).await?;
                out.line(format!("{} restarted", reference(row, &name)))?;
            }
        }
        RolloutCommand::History(args) => {
            for (row, name) in named(session, &args.what).await? {
                history::run(session, row, &name, args.revision, out).await?;
            }
        }
        RolloutCommand::Pause(args) => pause(session, args, true, out).await?,
        RolloutCommand::Resume(args) => pause(session, args, false, out).await?,
        RolloutCommand::Undo(args) => {
            for (row, name) in named(session, &args.what).await? {
                if row.kind == "StatefulSet" {
                    bail!("undo: only deployments and daemonsets keep their older templates so far");
                }
                let done = undo::run(session, row, &name, args.to_revision).await?;
                out.line(format!("{} {done}", reference(row, &name)))?;
            }
        }
    }
    Ok(())
}

/// Those that are named; of a kind alone all that the namespace has.
async fn named(session: &Session, args: &WordsArgs) -> Result<Vec<(&'static Resource, String)>> {
    let mut named = Vec::new();
    for asked in asked::parse(&args.words)? {
        let row = asked.row;
        if row.group != "apps" || !matches!(row.kind, "Deployment" | "DaemonSet" | "StatefulSet") {
            bail!("{} have no rollouts: deployments, daemonsets and statefulsets do", row.plural);
        }
        if !asked.names.is_empty() {
            if !args.selector.is_empty() {
                bail!("give names, or -l, not both");
            }
            named.extend(asked.names.into_iter().map(|name| (row, name)));
            continue;
        }
        let params = ListParams { label_selector: args.selector.clone(), ..ListParams::default() };
        let list = session.client.list(row, &session.namespace, &params).await?;
        named.extend(list.items.iter().map(|object| (row, object.name().to_owned())));
    }
    if named.is_empty() {
        bail!("there is none of these in namespace {}", session.namespace);
    }
    Ok(named)
}

async fn pause(session: &Session, args: &WordsArgs, paused: bool, out: &mut Out) -> Result<()> {
    let word = if paused { "paused" } else { "resumed" };
    for (row, name) in named(session, args).await? {
        if row.kind != "Deployment" {
            bail!("{} cannot be {word}: deployments can", row.plural);
        }
        let changed = change(session, row, &name, |object| {
            if paused {
                object.set(&["spec", "paused"], true);
            } else {
                object.remove(&["spec", "paused"]);
            }
            Ok(())
        });
        if changed.await?.is_none() {
            let state = if paused { "already paused" } else { "not paused" };
            bail!("{} is {state}", reference(row, &name));
        }
        out.line(format!("{} {word}", reference(row, &name)))?;
    }
    Ok(())
}

async fn restart(session: &Session, row: &'static Resource, name: &str) -> Result<()> {
    let now = xebec_api::time::rfc3339(jiff::Timestamp::now());
    let annotations = json!({RESTARTED_AT: now});
    let patch = Patch::Merge(json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}));
    session.client.patch(row, &session.namespace, name, &patch).await?;
    Ok(())
}

async fn status(
    session: &Session,
    watch: bool,
    row: &'static Resource,
    name: &str,
    out: &mut Out,
) -> Result<()> {
    let object = session.client.get(row, &session.namespace, name).await?;
    if !watch {
        let (Progress::Waiting(text) | Progress::Done(text) | Progress::Failed(text)) = progress::of(&object);
        return Ok(out.line(text)?);
    }
    let selection = Selection {
        namespace: session.namespace.clone(),
        field_selector: format!("metadata.name={name}"),
        ..Selection::all(row)
    };
    let (cache, mut changes) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    let mut live = out.progress();
    let outcome = loop {
        let Some(object) = cache.get(&session.namespace, name) else {
            break Err(anyhow!("{} was deleted meanwhile", reference(row, name)));
        };
        match progress::of(&object) {
            Progress::Waiting(text) => live.tell(out, text)?,
            Progress::Done(text) => break Ok(text),
            Progress::Failed(text) => break Err(anyhow!("{text}: `xctl describe` says why")),
        }
        if let Err(RecvError::Closed) = changes.recv().await {
            break Err(anyhow!("the watch ended: run it again"));
        }
    };
    live.finish();
    cache.stop().await;
    Ok(out.line(outcome?)?)
}
