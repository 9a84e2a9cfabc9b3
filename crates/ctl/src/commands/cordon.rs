//! `cordon` and `uncordon`: whether new pods may go to a node.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use xebec_client::{ListParams, Patch};

use crate::asked;
use crate::dry_run::DryRun;
use crate::output::Out;
use crate::session::Session;

/// Which nodes.
#[derive(Args, Clone, Default)]
pub(crate) struct Nodes {
    /// Nodes by name
    #[arg(required_unless_present = "selector")]
    pub(crate) nodes: Vec<String>,
    /// Every node with these labels
    #[arg(short = 'l', long, conflicts_with = "nodes")]
    pub(crate) selector: Option<String>,
}

impl Nodes {
    /// Their names.
    pub(super) async fn names(&self, session: &Session) -> Result<Vec<String>> {
        let row = asked::row("nodes")?;
        let Some(label_selector) = self.selector.clone() else {
            return self.nodes.iter().map(|word| bare(word)).collect();
        };
        let params = ListParams { label_selector, ..ListParams::default() };
        let list = session.client.list(row, "", &params).await?;
        if list.items.is_empty() {
            bail!("no node has these labels: `xctl get nodes --show-labels` shows what there is");
        }
        Ok(list.items.iter().map(|node| node.name().to_owned()).collect())
    }
}

/// A node's name, where `node/` may stand before it.
fn bare(word: &str) -> Result<String> {
    match word.split_once('/') {
        Some((kind, name)) if asked::row(kind)?.kind == "Node" => Ok(name.to_owned()),
        Some(_) => bail!("{word:?}: this is no node: write NAME or node/NAME"),
        None => Ok(word.to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct CordonArgs {
    #[command(flatten)]
    pub(crate) which: Nodes,
    #[command(flatten)]
    pub(crate) dry_run: DryRun,
}

/// Marks each node.
pub(crate) async fn run(session: &Session, closed: bool, args: &CordonArgs, out: &mut Out) -> Result<()> {
    for name in args.which.names(session).await? {
        one(session, args.dry_run, closed, &name, out).await?;
    }
    Ok(())
}

/// Marks one.
pub(super) async fn one(
    session: &Session,
    dry_run: DryRun,
    closed: bool,
    name: &str,
    out: &mut Out,
) -> Result<()> {
    let word = if closed { "cordoned" } else { "uncordoned" };
    let row = asked::row("nodes")?;
    let node = session.client.get(row, "", name).await?;
    let is_closed = node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true));
    if is_closed == closed {
        return Ok(out.line(format!("node/{name} already {word}"))?);
    }
    if dry_run.is_client() {
        return Ok(out.line(format!("node/{name} {word}{}", dry_run.mark()))?);
    }
    let value = if closed { Value::Bool(true) } else { Value::Null };
    let patch = Patch::Merge(json!({"spec": {"unschedulable": value}}));
    dry_run.session(session).client.patch(row, "", name, &patch).await?;
    Ok(out.line(format!("node/{name} {word}{}", dry_run.mark()))?)
}
