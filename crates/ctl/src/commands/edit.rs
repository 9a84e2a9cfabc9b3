//! `edit`: an object in the user's editor, and back. What the API refuses is shown above
//! the text, to be mended there; an unchanged text changes nothing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::ApiError;

use crate::asked;
use crate::output::Out;
use crate::session::{Session, reference, without_managed_fields};

/// What stands above the text.
const HEAD: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";

/// What to edit.
#[derive(Args)]
pub(crate) struct EditArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
}

/// Edits each.
pub(crate) async fn run(session: &Session, args: &EditArgs, out: &mut Out) -> Result<()> {
    for (row, name) in asked::parse_named(&args.words)? {
        let object = session.client.get(row, session.namespace_of(row), &name).await?;
        let told = match edit(session, row, &object).await? {
            true => format!("{} edited", reference(row, &name)),
            false => "Edit cancelled, no changes made.".to_owned(),
        };
        out.line(told)?;
    }
    Ok(())
}

async fn edit(session: &Session, row: &'static Resource, object: &Object) -> Result<bool> {
    let original = serde_yaml_ng::to_string(&without_managed_fields(object.clone()).into_value())?;
    let folder =
        tempfile::Builder::new().prefix("xctl-edit-").tempdir().context("make a temporary folder")?;
    let file = format!("{}.yaml", object.name());
    let path = folder.path().join(&file);
    let mut text = original.clone();
    let mut complaint = String::new();
    loop {
        std::fs::write(&path, format!("{HEAD}{complaint}{text}")).context("write the temporary file")?;
        open_editor(&path)?;
        let edited = std::fs::read_to_string(&path).context("read the temporary file")?;
        let edited = without_comments(&edited);
        if edited.trim().is_empty() || edited == original {
            return Ok(false);
        }
        if edited == text && !complaint.is_empty() {
            let why = complaint.trim_start_matches("# ").trim_end_matches(['#', '\n']).trim();
            // What somebody has typed is not thrown away.
            let kept = folder.keep().join(file);
            bail!("{}: {why}; your text is kept in {}", reference(row, object.name()), kept.display());
        }
        match save(session, row, &edited).await {
            Ok(()) => return Ok(true),
            Err(why) => complaint = format!("# {}\n#\n", why.replace('\n', " ")),
        }
        text = edited;
    }
}

/// Hands the text to the API; says what is wrong with it.
async fn save(session: &Session, row: &'static Resource, text: &str) -> Result<(), String> {
    let value: serde_json::Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let serde_json::Value::Object(map) = value else { return Err("expected an object".to_owned()) };
    let object = Object::from_map(map);
    session.client.update(row, &object).await.map(drop).map_err(|error: ApiError| error.to_string())
}

fn without_comments(text: &str) -> String {
    let lines = text.split_inclusive('\n').skip_while(|line| line.starts_with('#') || line.trim().is_empty());
    lines.collect()
}

fn open_editor(path: &Path) -> Result<()> {
    let editor = editor();
    let mut words = editor.split_whitespace();
    let program = words.next().ok_or_else(|| anyhow!("name your editor in $EDITOR"))?;
    let status = Command::new(program).args(words).arg(path).status();
    let status = status.with_context(|| format!("run the editor {editor:?}: name another in $EDITOR"))?;
    if !status.success() {
        bail!("the editor {editor:?} ended with {status}: nothing was changed");
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "a command line reads its environment")]
fn editor() -> String {
    let set = ["KUBE_EDITOR", "VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var(name).ok());
    set.filter(|editor| !editor.trim().is_empty()).unwrap_or_else(|| "vi".to_owned())
}
