//! `version`: this program's and the server's.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cli::Global;
use crate::commands::get::print_value;
use crate::commands::why::Form;
use crate::output::Out;

/// Whose.
#[derive(Args)]
pub(crate) struct VersionArgs {
    /// Only this program's: no cluster is asked
    #[arg(long)]
    pub(crate) client: bool,
    /// How to print it
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Form>,
}

/// Shows both; the client's even when no server answers.
pub(crate) async fn run(global: &Global, args: &VersionArgs, out: &mut Out) -> Result<ExitCode> {
    let client = format!("v{}", env!("CARGO_PKG_VERSION"));
    if let Some(form) = args.output {
        let mut value = json!({"clientVersion": {"gitVersion": client}});
        if !args.client {
            let answer = crate::config::session(global)?.client.discover().await?;
            value["serverVersion"] = json!({"gitVersion": format!("v{}", answer.version)});
        }
        print_value(&value, Some(form.into()), out)?;
        return Ok(ExitCode::SUCCESS);
    }
    out.line(format!("Client Version: {client}"))?;
    if !args.client {
        let answer = crate::config::session(global)?.client.discover().await?;
        out.line(format!("Server Version: v{}", answer.version))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use crate::tests::Sink;

    #[tokio::test]
    async fn the_clients_version_is_told_to_programs() {
        let words = ["xctl", "version", "--client", "-o", "json"].map(std::ffi::OsString::from);
        let cli = crate::parse(words).expect("a command");
        let Command::Version(args) = cli.command else { panic!("version") };
        let sink = Sink::default();
        let mut out = Out::to(Box::new(sink.clone()), Box::new(sink.clone()));
        run(&cli.global, &args, &mut out).await.expect("printed");
        let value: serde_json::Value = serde_json::from_str(&sink.text()).expect("JSON");
        let wanted = format!("v{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(value, json!({"clientVersion": {"gitVersion": wanted}}));
    }
}
