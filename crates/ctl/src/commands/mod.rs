//! One file per command. A command reads its arguments, asks the cluster through the
//! [`Session`], and prints through [`Out`].

pub(crate) mod api_resources;
pub(crate) mod api_versions;
pub(crate) mod apply;
pub(crate) mod attach;
pub(crate) mod auth;
pub(crate) mod cluster;
pub(crate) mod cluster_info;
pub(crate) mod complete;
pub(crate) mod config;
pub(crate) mod cordon;
pub(crate) mod cp;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod drain;
pub(crate) mod edit;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod expose;
pub(crate) mod get;
pub(crate) mod label;
pub(crate) mod logs;
pub(crate) mod patch;
pub(crate) mod port_forward;
pub(crate) mod replace;
pub(crate) mod rollout;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod set;
pub(crate) mod taint;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod why;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{Cli, Command};
use crate::output::Out;
use crate::session::Session;

/// Runs a command against the cluster that the options name.
pub(crate) async fn run(cli: Cli, out: &mut Out) -> Result<ExitCode> {
    match &cli.command {
        Command::Config(command) => return config::run(&cli.global, command, out),
        Command::Explain(args) => return explain::run(args, out),
        Command::Version(args) => return Box::pin(version::run(&cli.global, args, out)).await,
        Command::Completion(args) => return complete::print_script(args, out),
        Command::Complete(args) => return Box::pin(complete::run(&cli.global, args, out)).await,
        _ => {}
    }
    let (session, remark) = crate::config::opened(&cli.global)?;
    if let Some(remark) = remark {
        crate::output::warning(&remark);
    }
    execute(&session, cli.command, out).await
}

/// Runs a command in a session.
pub(crate) async fn execute(session: &Session, command: Command, out: &mut Out) -> Result<ExitCode> {
    match command {
        Command::Apply(args) => return Box::pin(apply::run(session, &args, out)).await,
        Command::Create(args) => return Box::pin(create::run(session, &args, out)).await,
        Command::Delete(args) => return Box::pin(delete::run(session, &args, out)).await,
        Command::Exec(args) => return Box::pin(exec::run(session, &args, out)).await,
        Command::Why(args) => return Box::pin(why::run(session, &args, out)).await,
        Command::Auth(command) => return Box::pin(auth::run(session, &command, out)).await,
        Command::Drain(args) => return Box::pin(drain::run(session, &args, out)).await,
        Command::Replace(args) => return Box::pin(replace::run(session, &args, out)).await,
        Command::Edit(args) => Box::pin(edit::run(session, &args, out)).await?,
        Command::Events(args) => Box::pin(events::run(session, &args, out)).await?,
        Command::Expose(args) => Box::pin(expose::run(session, &args, out)).await?,
        Command::Patch(args) => Box::pin(patch::run(session, &args, out)).await?,
        Command::Set(command) => Box::pin(set::run(session, &command, out)).await?,
        Command::Taint(args) => Box::pin(taint::run(session, &args, out)).await?,
        Command::Top(command) => Box::pin(top::run(session, &command, out)).await?,
        Command::Wait(args) => Box::pin(wait::run(session, &args, out)).await?,
        Command::Run(args) => return Box::pin(run::run(session, &args, out)).await,
        Command::Attach(args) => Box::pin(attach::run(session, &args, out)).await?,
        Command::Cp(args) => Box::pin(cp::run(session, &args, out)).await?,
        Command::PortForward(args) => Box::pin(port_forward::run(session, &args, out)).await?,
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
        Command::ClusterInfo => Box::pin(cluster_info::run(session, out)).await?,
        Command::ApiVersions => Box::pin(api_versions::run(session, out)).await?,
        Command::Diff(args) => return Box::pin(diff::run(session, &args, out)).await,
        Command::Config(_)
        | Command::Completion(_)
        | Command::Complete(_)
        | Command::Explain(_)
        | Command::Version(_) => {
            bail!("this needs no cluster, and is answered before one is asked")
        }
        Command::ApiResources(args) => Box::pin(api_resources::run(session, &args, out)).await?,
    }
    Ok(ExitCode::SUCCESS)
}
