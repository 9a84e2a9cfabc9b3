//! `diff`: what `apply` would change, as `diff -u` shows it. It ends with 1 where there is
//! something, and with more where it fails, as kubectl's does.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use crate::manifest::{self, Files};
use crate::merge;
use crate::output::Out;
use crate::session::{Session, without_managed_fields};

/// What to compare.
#[derive(Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) files: Files,
}

/// Compares each.
pub(crate) async fn run(session: &Session, args: &DiffArgs, out: &mut Out) -> Result<ExitCode> {
    let folder =
        tempfile::Builder::new().prefix("xctl-diff-").tempdir().context("make a temporary folder")?;
    let (live, merged) = (folder.path().join("LIVE"), folder.path().join("MERGED"));
    for side in [&live, &merged] {
        std::fs::create_dir(side).context("make a temporary folder")?;
    }
    for document in manifest::read(session, &args.files)? {
        let (row, object) = match document {
            Ok(document) => document,
            Err(error) => bail!("{error}"),
        };
        let present = session.client.find(row, object.namespace(), object.name()).await?;
        let mut wanted = present.as_ref().map_or_else(|| object.clone(), |it| merge::apply(&object, it));
        let is_there = present.is_some();
        let mut present = present.unwrap_or_default();
        hide(&mut present, &mut wanted);
        if is_there {
            write(&live, row, &present)?;
        }
        write(&merged, row, &wanted)?;
    }
    let mut command = Command::new("diff");
    command.args(["-u", "-N", "LIVE", "MERGED"]).current_dir(folder.path());
    let output = command.output().context("run diff: it has to be installed")?;
    out.raw(&output.stdout)?;
    out.raw_error(&output.stderr)?;
    Ok(output
        .status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn write(folder: &Path, row: &Resource, object: &Object) -> Result<()> {
    let mut object = without_managed_fields(object.clone());
    object.remove(&["metadata", "annotations", merge::LAST_APPLIED]);
    if object
        .get(&["metadata", "annotations"])
        .and_then(Value::as_object)
        .is_some_and(serde_json::Map::is_empty)
    {
        object.remove(&["metadata", "annotations"]);
    }
    let group = if row.group.is_empty() { String::new() } else { format!("{}.", row.group) };
    let name = format!("{group}{}.{}.{}", row.singular, object.namespace(), object.name());
    let text = serde_yaml_ng::to_string(&object.into_value())?;
    std::fs::write(folder.join(name), text).context("write a temporary file")
}

/// Of a Secret's values, only whether they differ is told.
fn hide(live: &mut Object, wanted: &mut Object) {
    if wanted.kind() != "Secret" {
        return;
    }
    for field in ["data", "stringData"] {
        let [before, after] = [&*live, &*wanted].map(|object| object.get(&[field]).cloned());
        for (object, other, mark) in [(&mut *live, &after, "before"), (&mut *wanted, &before, "after")] {
            let Some(Value::Object(map)) = object.as_map_mut().get_mut(field) else { continue };
            for (key, value) in map.iter_mut() {
                let same = other.as_ref().and_then(|other| other.get(key)) == Some(&*value);
                *value = if same { "***".into() } else { format!("*** ({mark})").into() };
            }
        }
    }
}
