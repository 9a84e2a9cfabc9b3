//! `delete`: takes objects away, and waits until they are.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::{ArgAction, Args, ValueEnum};
use tokio::time::timeout;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{ApiError, Cache, DeleteParams, Propagation, Reason, Selection};

use crate::chosen::{self, Choice};
use crate::dry_run::DryRun;
use crate::output::Out;
use crate::session::{Session, reference};
use crate::{advice, durations};

/// What to delete, and how.
#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// TYPE NAME…, TYPE/NAME…, or TYPE with -l or --all
    #[arg(required_unless_present = "filename", conflicts_with = "filename")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Seconds to end in; else, or with -1, the object's own
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) grace_period: Option<i64>,
    /// At once: the same as --grace-period 0
    #[arg(long)]
    pub(crate) force: bool,
    /// Soon: the same as --grace-period 1
    #[arg(long, conflicts_with_all = ["grace_period", "force"])]
    pub(crate) now: bool,
    /// Wait until they are gone
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) wait: bool,
    /// How long to wait at most; 0 for ever
    #[arg(long, value_parser = durations::parse, default_value = "0s")]
    pub(crate) timeout: Duration,
    /// What becomes of the objects that they own
    #[arg(long, value_enum, default_value_t = Cascade::Background, num_args = 0..=1, default_missing_value = "background", require_equals = true)]
    pub(crate) cascade: Cascade,
    /// Be silent about what is not there
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
    /// Print TYPE/NAME only
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<OnlyName>,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// The one form of `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnlyName {
    /// TYPE/NAME only
    Name,
}

/// The forms of `--cascade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cascade {
    /// Deleted afterwards
    Background,
    /// Deleted before
    Foreground,
    /// They stay
    Orphan,
}

/// Deletes them all, then waits for all of them.
pub(crate) async fn run(session: &Session, args: &DeleteArgs, out: &mut Out) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut going: Vec<(&'static Resource, Object)> = Vec::new();
    let targets = chosen::targets(session, &args.words, &args.choice).await?;
    if targets.is_empty() {
        out.note("No resources found")?;
    }
    for target in targets {
        let outcome = match target {
            Ok((row, namespace, name)) => one(session, args, row, &namespace, &name).await.map(|o| (row, o)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok((row, Some(object))) => {
                let name = reference(row, object.name());
                let deleted = if grace(args) == Some(0) { "force deleted" } else { "deleted" };
                match args.output {
                    Some(OnlyName::Name) => out.line(name)?,
                    None => out.line(format!("{name} {deleted}{}", args.dry_run.mark()))?,
                }
                going.push((row, object));
            }
            Ok((_, None)) => {}
            Err(error) => {
                out.error(&error);
                code = ExitCode::FAILURE;
            }
        }
    }
    if args.wait && args.dry_run.mark().is_empty() {
        wait(session, args, &going, out).await?;
    }
    Ok(code)
}

fn grace(args: &DeleteArgs) -> Option<u32> {
    if args.now {
        return Some(1);
    }
    let said = args.grace_period.or(args.force.then_some(0));
    said.and_then(|seconds| u32::try_from(seconds).ok())
}

async fn one(
    session: &Session,
    args: &DeleteArgs,
    row: &'static Resource,
    namespace: &str,
    name: &str,
) -> Result<Option<Object>, String> {
    let propagation = match args.cascade {
        Cascade::Background => Propagation::Background,
        Cascade::Foreground => Propagation::Foreground,
        Cascade::Orphan => Propagation::Orphan,
    };
    let params = DeleteParams { grace_period_seconds: grace(args), propagation, ..DeleteParams::default() };
    let deleted = if args.dry_run.is_client() {
        session.client.get(row, namespace, name).await
    } else {
        args.dry_run.session(session).client.delete(row, namespace, name, &params).await
    };
    match deleted {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.reason == Reason::NotFound && args.ignore_not_found => Ok(None),
        Err(error) => Err(told(&error)),
    }
}

fn told(error: &ApiError) -> String {
    let next = advice::next(error).map(|next| format!("; {next}")).unwrap_or_default();
    format!("{error}{next}")
}

async fn wait(
    session: &Session,
    args: &DeleteArgs,
    going: &[(&'static Resource, Object)],
    out: &mut Out,
) -> Result<()> {
    let all = async {
        for (row, object) in going {
            until_gone(session, row, object).await?;
        }
        Ok::<(), ApiError>(())
    };
    if args.timeout.is_zero() {
        return Ok(all.await?);
    }
    out.raw(b"")?;
    let late =
        "they are deleted but not gone yet: `xctl get` shows what holds them (finalizers, a grace period)";
    Ok(timeout(args.timeout, all).await.map_err(|_| anyhow!(late))??)
}

/// Waits until the name is free, or taken by another object.
pub(super) async fn until_gone(
    session: &Session,
    row: &'static Resource,
    object: &Object,
) -> Result<(), ApiError> {
    match session.client.find(row, object.namespace(), object.name()).await? {
        Some(found) if found.uid() == object.uid() => {}
        _ => return Ok(()),
    }
    let selection = Selection {
        namespace: object.namespace().to_owned(),
        field_selector: format!("metadata.name={}", object.name()),
        ..Selection::all(row)
    };
    let (cache, mut changes) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    loop {
        match cache.get(object.namespace(), object.name()) {
            Some(found) if found.uid() == object.uid() => {}
            _ => break,
        }
        if let Err(tokio::sync::broadcast::error::RecvError::Closed) = changes.recv().await {
            break;
        }
    }
    cache.stop().await;
    Ok(())
}
