//! `token`: what lets a node or a master join. A token is shown once.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use xebec_rpc::v1::cluster_client::ClusterClient;
use xebec_rpc::v1::{CreateTokenRequest, create_token_request::Use};

use crate::durations;
use crate::output::Out;
use crate::session::Session;

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once
    Create(CreateTokenArgs),
}

#[derive(Args)]
pub(crate) struct CreateTokenArgs {
    /// For a master instead of a node
    #[arg(long)]
    pub(crate) master: bool,
    /// Until when it is good
    #[arg(long, value_parser = durations::parse, default_value = "24h")]
    pub(crate) ttl: Duration,
    /// What it is for
    #[arg(long, default_value = "")]
    pub(crate) description: String,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: &TokenCommand, out: &mut Out) -> Result<()> {
    let TokenCommand::Create(args) = command;
    let request = CreateTokenRequest {
        r#use: if args.master { Use::Master } else { Use::Node }.into(),
        ttl_seconds: u32::try_from(args.ttl.as_secs()).context("--ttl: at most 136 years")?,
        description: args.description.clone(),
    };
    // Made twice, a token that nobody saw merely expires.
    let answer = session.client.ask(true, |channel| {
        let request = request.clone();
        async move { Ok(ClusterClient::new(channel).create_token(request).await?.into_inner()) }
    });
    Ok(out.line(answer.await?.token)?)
}
