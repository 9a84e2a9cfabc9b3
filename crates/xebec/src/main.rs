//! The binary: picks one of the components. Called as `xctl` it is the command line
//! client. The shim starts before any thread does.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio_util::sync::CancellationToken;

mod image;
mod process;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Kubernetes-compatible cluster in one binary.
#[derive(Parser)]
#[command(name = "xebec", version)]
enum Command {
    /// Run a master.
    Master {
        /// Its configuration, TOML.
        #[arg(long)]
        config: PathBuf,
    },
    /// Pack, import and list container images.
    #[command(subcommand)]
    Image(image::Command),
    /// The command line client, also found as `xctl`.
    #[command(disable_help_flag = true)]
    Ctl {
        /// What `xctl` takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match Command::parse() {
        Command::Master { config } => process::run("master", |stop| master(config, stop)),
        Command::Image(command) => process::told(image::run(command)),
        Command::Ctl { .. } => process::told(Err(anyhow::anyhow!("xctl is not part of this build yet"))),
    }
}

async fn master(config: PathBuf, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(xebec_master::run(xebec_master::Config::load(&config)?, stop).await?)
}
