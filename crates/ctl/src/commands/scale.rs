//! `scale`: how many replicas there are to be.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use xebec_client::Patch;

use crate::chosen::{self, Choice};
use crate::output::Out;
use crate::session::{Session, reference};

/// What to scale.
#[derive(Args)]
pub(crate) struct ScaleArgs {
    /// TYPE NAME… or TYPE/NAME…
    #[arg(required_unless_present = "filename")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// How many
    #[arg(long)]
    pub(crate) replicas: u32,
    /// Only if there are this many now
    #[arg(long)]
    pub(crate) current_replicas: Option<u32>,
}

/// Sets the number through the `scale` subresource.
pub(crate) async fn run(session: &Session, args: &ScaleArgs, out: &mut Out) -> Result<()> {
    for target in chosen::targets(session, &args.words, &args.choice).await? {
        let (row, namespace, name) = target.map_err(|error| anyhow!(error))?;
        if !row.has_subresource("scale") {
            bail!("{} do not scale: deployments, replicasets and statefulsets do", row.plural);
        }
        if let Some(wanted) = args.current_replicas {
            let scale = session.client.get_subresource(row, &namespace, &name, "scale").await?;
            let now = scale.get(&["spec", "replicas"]).and_then(Value::as_u64).unwrap_or_default();
            if now != u64::from(wanted) {
                bail!("{} has {now} replicas, not {wanted}", reference(row, &name));
            }
        }
        let patch = Patch::Merge(json!({"spec": {"replicas": args.replicas}}));
        session.client.patch_subresource(row, &namespace, &name, "scale", &patch).await?;
        out.line(format!("{} scaled", reference(row, &name)))?;
    }
    Ok(())
}
