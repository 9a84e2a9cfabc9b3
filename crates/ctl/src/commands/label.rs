//! `label` and `annotate`: `KEY=VALUE` sets, `KEY-` removes.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::Patch;

use crate::chosen::{self, Choice};
use crate::output::Out;
use crate::printable::printable;
use crate::session::{Session, reference};

/// What to change on what.
#[derive(Args)]
pub(crate) struct LabelArgs {
    /// TYPE NAME… or TYPE/NAME…, then KEY=VALUE… and KEY-…
    #[arg(required_unless_present = "filename")]
    pub(crate) words: Vec<String>,
    /// Show what there is instead
    #[arg(long)]
    pub(crate) list: bool,
    /// Replace values that are there
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// Changes `metadata.<field>` of each.
pub(crate) async fn run(session: &Session, field: &str, args: &LabelArgs, out: &mut Out) -> Result<()> {
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    let (changes, words): (Vec<String>, Vec<String>) = args.words.iter().cloned().partition(is_change);
    if args.list {
        if !changes.is_empty() {
            bail!("--list changes nothing: leave {} out", changes.join(" "));
        }
        return list(session, field, &words, args, out).await;
    }
    if changes.is_empty() {
        bail!("say what to change: KEY=VALUE sets, KEY- removes");
    }
    let changes = read(&changes)?;
    for (row, object) in chosen::objects(session, &words, &args.choice).await? {
        one(session, field, args, row, &object, &changes, out).await?;
    }
    Ok(())
}

/// Shows each object's, under its name where there are several.
async fn list(
    session: &Session,
    field: &str,
    words: &[String],
    args: &LabelArgs,
    out: &mut Out,
) -> Result<()> {
    let objects = chosen::objects(session, words, &args.choice).await?;
    for (row, object) in &objects {
        if objects.len() > 1 {
            out.line(format!("Listing {field} for {}:", reference(row, object.name())))?;
        }
        let indent = if objects.len() > 1 { " " } else { "" };
        for (key, value) in object.text_map(&["metadata", field]) {
            out.line(printable(&format!("{indent}{key}={value}")))?;
        }
    }
    Ok(())
}

fn read(changes: &[String]) -> Result<Map<String, Value>> {
    let mut map = Map::new();
    for change in changes {
        let (key, value) = match change.split_once('=') {
            Some((key, value)) => (key, Value::String(value.to_owned())),
            None => (change.trim_end_matches('-'), Value::Null),
        };
        if key.is_empty() {
            bail!("{change:?}: write KEY=VALUE or KEY-");
        }
        map.insert(key.to_owned(), value);
    }
    Ok(map)
}

async fn one(
    session: &Session,
    field: &str,
    args: &LabelArgs,
    row: &'static Resource,
    object: &Object,
    changes: &Map<String, Value>,
    out: &mut Out,
) -> Result<()> {
    let name = reference(row, object.name());
    let now = |key: &String| object.get(&["metadata", field, key]);
    for (key, value) in changes {
        if !args.overwrite && !value.is_null() && now(key).is_some_and(|now| now != value) {
            bail!("{name} has {key} already: say --overwrite to replace its value");
        }
    }
    let word = match (field, changes.values().all(Value::is_null)) {
        ("labels", false) => "labeled",
        ("labels", true) => "unlabeled",
        _ => "annotated",
    };
    if changes.iter().all(|(key, value)| now(key).unwrap_or(&Value::Null) == value) {
        out.line(format!("{name} not {word}"))?;
        return Ok(());
    }
    let patch = Patch::Merge(json!({"metadata": {field: changes}}));
    session.client.patch(row, object.namespace(), object.name(), &patch).await?;
    Ok(out.line(format!("{name} {word}"))?)
}
