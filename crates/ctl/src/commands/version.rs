//! `version`: this program's and the server's.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::Global;
use crate::output::Out;

/// Whose.
#[derive(Args)]
pub(crate) struct VersionArgs {
    /// Only this program's: no cluster is asked
    #[arg(long)]
    pub(crate) client: bool,
}

/// Shows both; the client's even when no server answers.
pub(crate) async fn run(global: &Global, args: &VersionArgs, out: &mut Out) -> Result<ExitCode> {
    out.line(format!("Client Version: v{}", env!("CARGO_PKG_VERSION")))?;
    if !args.client {
        let answer = crate::config::session(global)?.client.discover().await?;
        out.line(format!("Server Version: v{}", answer.version))?;
    }
    Ok(ExitCode::SUCCESS)
}
