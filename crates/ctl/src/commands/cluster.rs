//! `cluster status`: who leads, which masters there are and how they are. `cluster
//! remove-master`: takes one out for good, so that it can join anew.

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xebec_rpc::v1::cluster_client::ClusterClient;
use xebec_rpc::v1::{ClusterStatusRequest, ClusterStatusResponse, RemoveMasterRequest};

use crate::commands::get::{Format, print_value};
use crate::output::Out;
use crate::session::Session;
use crate::table;

#[derive(Subcommand)]
pub(crate) enum ClusterCommand {
    /// Show the masters and which of them leads
    Status(StatusArgs),
    /// Take a master out for good, also one that is lost
    RemoveMaster(RemoveMasterArgs),
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    /// How to show it
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Format>,
}

#[derive(Args)]
pub(crate) struct RemoveMasterArgs {
    /// Its name, as cluster status shows it
    pub(crate) name: String,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: &ClusterCommand, out: &mut Out) -> Result<()> {
    match command {
        ClusterCommand::Status(args) => status(session, args, out).await,
        ClusterCommand::RemoveMaster(args) => remove_master(session, &args.name, out).await,
    }
}

async fn remove_master(session: &Session, name: &str, out: &mut Out) -> Result<()> {
    // Done twice, it might take out one that has just joined anew under this name.
    let removed = session.client.ask(false, |channel| async move {
        ClusterClient::new(channel).remove_master(RemoveMasterRequest { name: name.to_owned() }).await
    });
    removed.await?;
    Ok(out.line(format!(
        "{name} is no master of this cluster any more; to take it in again: stop it, move its data folder aside, \
         make a master token (`xctl token create --master`) into its token_file, and start it"
    ))?)
}

async fn status(session: &Session, args: &StatusArgs, out: &mut Out) -> Result<()> {
    let status = session.client.ask(true, |channel| async move {
        Ok(ClusterClient::new(channel).status(ClusterStatusRequest {}).await?.into_inner())
    });
    let status = status.await?;
    match args.output {
        Some(Format::Json | Format::Yaml) => print_value(&to_json(&status), args.output, out),
        Some(Format::Name) => Ok(out.line(&status.leader)?),
        Some(Format::Wide) | None => print(&status, out),
    }
}

fn to_json(status: &ClusterStatusResponse) -> Value {
    let masters = status.masters.iter().map(|master| {
        json!({
            "name": master.name, "raftId": master.raft_id.to_string(),
            "clientAddress": master.client_address, "peerAddress": master.peer_address,
            "voter": master.voter, "reachable": master.reachable, "matchedIndex": master.matched_index,
        })
    });
    json!({
        "clusterId": status.cluster_id, "leader": status.leader, "term": status.term,
        "answeredBy": status.answered_by, "revision": status.revision, "version": status.version,
        "masters": masters.collect::<Vec<_>>(),
    })
}

fn print(status: &ClusterStatusResponse, out: &mut Out) -> Result<()> {
    let leader =
        if status.leader.is_empty() { "none: no majority of the masters answers" } else { &status.leader };
    out.line(format!("cluster   {}", status.cluster_id))?;
    out.line(format!("version   {}", status.version))?;
    out.line(format!("leader    {leader} (term {})", status.term))?;
    out.line(format!("revision  {}", status.revision))?;
    out.line("")?;
    let rows: Vec<Vec<String>> = status
        .masters
        .iter()
        .map(|master| {
            let role = match (master.name == status.leader, master.voter) {
                (true, _) => "leader",
                (false, true) => "voter",
                (false, false) => "learner",
            };
            let reachable = if master.reachable { "yes" } else { "no" };
            let matched =
                if master.matched_index == 0 { "-".to_owned() } else { master.matched_index.to_string() };
            [&master.name, role, reachable, &master.client_address, &master.peer_address, &matched]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    for line in table::lines(&["NAME", "ROLE", "REACHABLE", "CLIENTS", "PEERS", "MATCHED"], &rows) {
        out.line(line)?;
    }
    Ok(())
}
