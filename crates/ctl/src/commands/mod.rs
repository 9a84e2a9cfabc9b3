//! One file per command. A command reads its arguments, asks the cluster through the
//! [`Session`], and prints through [`Out`].

pub(crate) mod api_resources;
pub(crate) mod apply;
pub(crate) mod cluster;
pub(crate) mod cordon;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod exec;
pub(crate) mod get;
pub(crate) mod label;
pub(crate) mod logs;
pub(crate) mod rollout;
pub(crate) mod scale;
pub(crate) mod token;
pub(crate) mod version;

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::config;
use crate::output::Out;
use crate::session::Session;

/// Runs a command against the cluster that the options name.
pub(crate) async fn run(cli: Cli, out: &mut Out) -> Result<ExitCode> {
    let session = config::session(&cli.global)?;
    execute(&session, cli.command, out).await
}

/// Runs a command in a session.
pub(crate) async fn execute(session: &Session, command: Command, out: &mut Out) -> Result<ExitCode> {
    match command {
        Command::Apply(args) => return Box::pin(apply::run(session, &args, out)).await,
        Command::Create(args) => return Box::pin(create::run(session, &args, out)).await,
        Command::Delete(args) => return Box::pin(delete::run(session, &args, out)).await,
        Command::Exec(args) => return Box::pin(exec::run(session, &args, out)).await,
        Command::Get(args) => Box::pin(get::run(session, &args, out)).await?,
        Command::Describe(args) => Box::pin(describe::run(session, &args, out)).await?,
        Command::Logs(args) => Box::pin(logs::run(session, &args, out)).await?,
        Command::Scale(args) => Box::pin(scale::run(session, &args, out)).await?,
        Command::Rollout(command) => Box::pin(rollout::run(session, &command, out)).await?,
        Command::Label(args) => Box::pin(label::run(session, "labels", &args, out)).await?,
        Command::Annotate(args) => Box::pin(label::run(session, "annotations", &args, out)).await?,
        Command::Cordon(args) => Box::pin(cordon::run(session, true, &args, out)).await?,
        Command::Uncordon(args) => Box::pin(cordon::run(session, false, &args, out)).await?,
        Command::Token(command) => Box::pin(token::run(session, &command, out)).await?,
        Command::Cluster(command) => Box::pin(cluster::run(session, &command, out)).await?,
        Command::ApiResources => Box::pin(api_resources::run(session, out)).await?,
        Command::Version => Box::pin(version::run(session, out)).await?,
    }
    Ok(ExitCode::SUCCESS)
}
