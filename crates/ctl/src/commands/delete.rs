//! `delete`: takes objects away, and waits until they are.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::{ArgAction, Args, ValueEnum};
use tokio::time::timeout;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{ApiError, Cache, DeleteParams, ListParams, Propagation, Reason, Selection};

use crate::dry_run::DryRun;
use crate::output::Out;
use crate::session::{Session, reference};
use crate::{advice, asked, durations, manifest};

/// What to delete, and how.
#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// TYPE NAME…, TYPE/NAME…, or TYPE with -l or --all
    #[arg(required_unless_present = "filename", conflicts_with = "filename")]
    pub(crate) words: Vec<String>,
    /// What these files name
    #[arg(short, long, value_name = "FILE")]
    pub(crate) filename: Vec<PathBuf>,
    /// Objects with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// Every object of the kind in the namespace
    #[arg(long)]
    pub(crate) all: bool,
    /// Seconds to end in; else the object's own
    #[arg(long)]
    pub(crate) grace_period: Option<u32>,
    /// At once: the same as --grace-period 0
    #[arg(long)]
    pub(crate) force: bool,
    /// Wait until they are gone
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) wait: bool,
    /// How long to wait at most; 0 for ever
    #[arg(long, value_parser = durations::parse, default_value = "0s")]
    pub(crate) timeout: Duration,
    /// What becomes of the objects that they own
    #[arg(long, value_enum, default_value_t = Cascade::Background)]
    pub(crate) cascade: Cascade,
    /// Be silent about what is not there
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
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

type Target = (&'static Resource, String, String);

/// Deletes them all, then waits for all of them.
pub(crate) async fn run(session: &Session, args: &DeleteArgs, out: &mut Out) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut going: Vec<(&'static Resource, Object)> = Vec::new();
    for target in targets(session, args).await? {
        let outcome = match target {
            Ok((row, namespace, name)) => one(session, args, row, &namespace, &name).await.map(|o| (row, o)),
            Err(error) => Err(error),
        };
        match outcome {
            Ok((row, Some(object))) => {
                let forced = if grace(args) == Some(0) { "force deleted" } else { "deleted" };
                out.line(format!("{} {forced}{}", reference(row, object.name()), args.dry_run.mark()))?;
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
    if args.force { Some(args.grace_period.unwrap_or(0)) } else { args.grace_period }
}

async fn targets(session: &Session, args: &DeleteArgs) -> Result<Vec<Result<Target, String>>> {
    if !args.filename.is_empty() {
        let documents = manifest::read(session, &args.filename, false)?;
        let target = |(row, object): (&'static Resource, Object)| {
            (row, object.namespace().to_owned(), object.name().to_owned())
        };
        return Ok(documents.into_iter().map(|document| document.map(target)).collect());
    }
    let mut targets = Vec::new();
    for asked in asked::parse(&args.words)? {
        let namespace = session.namespace_of(asked.row).to_owned();
        let names = match (asked.names.is_empty(), args.all || !args.selector.is_empty()) {
            (false, false) => asked.names,
            (true, true) => {
                let params = ListParams { label_selector: args.selector.clone(), ..ListParams::default() };
                let list = session.client.list(asked.row, &namespace, &params).await?;
                list.items.iter().map(|object| object.name().to_owned()).collect()
            }
            (true, false) => bail!("name the {}, or say -l SELECTOR or --all", asked.row.plural),
            (false, true) => bail!("give names, or -l and --all, not both"),
        };
        targets.extend(names.into_iter().map(|name| Ok((asked.row, namespace.clone(), name))));
    }
    Ok(targets)
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
