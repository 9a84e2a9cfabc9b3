//! `xebec kubeconfig`: another way in for the cluster's admin, whose certificate ends a year
//! after it was made, or who has lost it.

#![allow(clippy::print_stdout, reason = "what the user asked for")]

use std::path::PathBuf;

use xebec_master::Config;

/// Of which master, and where to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration of this host's master, TOML.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Instead of it: where `xebec up` keeps everything.
    #[arg(long, conflicts_with = "config")]
    data_dir: Option<PathBuf>,
    /// The file; by default the configuration's admin_kubeconfig, else admin.kubeconfig in its data_dir.
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Writes it.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let config = match (&args.config, &args.data_dir) {
        (Some(path), _) => Config::load(path)?,
        (None, Some(data_dir)) => crate::up::master(data_dir),
        (None, None) => anyhow::bail!("name the configuration of this host's master by --config"),
    };
    let path = xebec_master::write_kubeconfig(&config, args.output.as_deref()).await?;
    println!("{}", path.display());
    Ok(())
}
