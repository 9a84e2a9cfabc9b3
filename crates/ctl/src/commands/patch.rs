//! `patch`: changes fields of objects.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use xebec_client::Patch;

use crate::asked;
use crate::chosen::{self, Choice};
use crate::manifest::Files;
use crate::only::{OnlyArgs, Printed};
use crate::output::Out;
use crate::session::Session;

/// What to change, and how it is written.
#[derive(Args)]
pub(crate) struct PatchArgs {
    /// TYPE NAME… or TYPE/NAME…
    #[arg(required_unless_present = "filename", conflicts_with = "filename")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// The change, as JSON or YAML
    #[arg(short, long, required_unless_present = "patch_file", conflicts_with = "patch_file")]
    pub(crate) patch: Option<String>,
    /// A file with the change
    #[arg(long, value_name = "FILE")]
    pub(crate) patch_file: Option<PathBuf>,
    /// How the change is to be read
    #[arg(long, value_enum, default_value_t = Form::Strategic)]
    pub(crate) r#type: Form,
    /// Change this part of the object, such as status or scale
    #[arg(long, default_value = "")]
    pub(crate) subresource: String,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The forms of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Lists are merged by what names their items
    Strategic,
    /// RFC 7386: lists are replaced
    Merge,
    /// RFC 6902: a list of operations
    Json,
}

/// Patches each.
pub(crate) async fn run(session: &Session, args: &PatchArgs, out: &mut Out) -> Result<()> {
    let patch = read(args)?;
    if args.files.is_empty() {
        asked::parse_named(&args.words)?;
    }
    let dry_run = args.only.dry_run;
    let writing = dry_run.session(session);
    let choice = Choice { files: args.files.clone(), ..Choice::default() };
    let mut printed = Printed::default();
    for (row, before) in chosen::objects(session, &args.words, &choice).await? {
        if !args.subresource.is_empty() && !row.has_subresource(&args.subresource) {
            bail!("{} have no subresource {:?}", row.plural, args.subresource);
        }
        if dry_run.is_client() {
            printed.one(&args.only, row, before, "patched", out)?;
            continue;
        }
        let (namespace, name) = (before.namespace(), before.name());
        let after = writing.client.patch_subresource(row, namespace, name, &args.subresource, &patch).await?;
        // What is only tried has no new version to tell by.
        let same = dry_run.mark().is_empty() && after.resource_version() == before.resource_version();
        let done = if same { "patched (no change)" } else { "patched" };
        printed.one(&args.only, row, after, done, out)?;
    }
    Ok(())
}

fn read(args: &PatchArgs) -> Result<Patch> {
    let text = match (&args.patch, &args.patch_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => {
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?
        }
        (None, None) => bail!("say what to change, with -p or --patch-file"),
    };
    let value: Value =
        serde_yaml_ng::from_str(&text).map_err(|error| anyhow!("unable to parse {text:?}: {error}"))?;
    match args.r#type {
        Form::Json if !value.is_array() => {
            bail!("a JSON patch is a list of operations: [{{\"op\": …, \"path\": …, \"value\": …}}]")
        }
        Form::Strategic | Form::Merge if !value.is_object() => {
            bail!("the change is to be an object, such as {{\"spec\": {{\"replicas\": 2}}}}")
        }
        Form::Json => Ok(Patch::Json(value)),
        Form::Merge => Ok(Patch::Merge(value)),
        Form::Strategic => Ok(Patch::Strategic(value)),
    }
}
