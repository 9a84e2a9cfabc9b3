//! The objects that a command's words, `-l` and `--all` choose.

use anyhow::{Result, bail};
use clap::Args;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::ListParams;

use crate::asked;
use crate::session::Session;

/// Beside names: by label, or all.
#[derive(Args, Clone, Default)]
pub(crate) struct Choice {
    /// Every object with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// Every object of the kind in the namespace
    #[arg(long)]
    pub(crate) all: bool,
}

/// Fetches each.
///
/// # Errors
/// A kind or a name that is not there, names beside `-l` or `--all`, or neither.
pub(crate) async fn objects(
    session: &Session,
    words: &[String],
    choice: &Choice,
) -> Result<Vec<(&'static Resource, Object)>> {
    let mut objects = Vec::new();
    if !choice.all && choice.selector.is_empty() {
        for (row, name) in asked::parse_named(words)? {
            objects.push((row, session.client.get(row, session.namespace_of(row), &name).await?));
        }
        return Ok(objects);
    }
    for asked in asked::parse(words)? {
        if !asked.names.is_empty() {
            bail!("give names, or -l and --all, not both");
        }
        let params = ListParams { label_selector: choice.selector.clone(), ..ListParams::default() };
        let list = session.client.list(asked.row, session.namespace_of(asked.row), &params).await?;
        objects.extend(list.items.into_iter().map(|object| (asked.row, object)));
    }
    Ok(objects)
}
