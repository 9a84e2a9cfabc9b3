//! `cordon` and `uncordon`: whether new pods may go to a node.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use xebec_client::Patch;

use crate::asked;
use crate::output::Out;
use crate::session::Session;

/// Which nodes.
#[derive(Args)]
pub(crate) struct CordonArgs {
    /// Nodes by name
    #[arg(required = true)]
    pub(crate) nodes: Vec<String>,
}

/// Marks each node.
pub(crate) async fn run(session: &Session, closed: bool, args: &CordonArgs, out: &mut Out) -> Result<()> {
    for name in &args.nodes {
        one(session, closed, name.trim_start_matches("node/"), out).await?;
    }
    Ok(())
}

/// Marks one.
pub(super) async fn one(session: &Session, closed: bool, name: &str, out: &mut Out) -> Result<()> {
    let word = if closed { "cordoned" } else { "uncordoned" };
    let row = asked::row("nodes")?;
    let node = session.client.get(row, "", name).await?;
    let is_closed = node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true));
    if is_closed == closed {
        return Ok(out.line(format!("node/{name} already {word}"))?);
    }
    let value = if closed { Value::Bool(true) } else { Value::Null };
    let patch = Patch::Merge(json!({"spec": {"unschedulable": value}}));
    session.client.patch(row, "", name, &patch).await?;
    Ok(out.line(format!("node/{name} {word}"))?)
}
