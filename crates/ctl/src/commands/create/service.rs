//! `create service`: one for the pods with the label `app` of its own name.

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Subcommand)]
pub(crate) enum ServiceKind {
    /// One that pods reach
    Clusterip(PortsArgs),
    /// One that is reached at a port of every node
    Nodeport(PortsArgs),
}

#[derive(Args)]
pub(crate) struct PortsArgs {
    pub(crate) name: String,
    /// The Service's port, and the container's, by number or name; else the same
    #[arg(long, required = true, value_name = "PORT[:TARGET]", value_delimiter = ',')]
    pub(crate) tcp: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

/// The Service, and how it is to be made.
pub(super) fn made(kind: &ServiceKind) -> Result<(Object, &OnlyArgs)> {
    let (r#type, args) = match kind {
        ServiceKind::Clusterip(args) => ("ClusterIP", args),
        ServiceKind::Nodeport(args) => ("NodePort", args),
    };
    let ports: Vec<Value> = args.tcp.iter().map(|pair| port(pair)).collect::<Result<_>>()?;
    let labels = json!({"app": args.name});
    let mut object = shell("v1", "Service", &args.name);
    object.set(&["metadata", "labels"], labels.clone());
    object.set(&["spec", "type"], r#type);
    object.set(&["spec", "selector"], labels);
    object.set(&["spec", "ports"], ports);
    Ok((object, &args.only))
}

fn port(pair: &str) -> Result<Value> {
    let (port, target) = pair.split_once(':').unwrap_or((pair, pair));
    let number = port.parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(|| {
        anyhow!("--tcp {pair}: write PORT or PORT:TARGET, with a port from 1 to 65535, such as 80:8080")
    })?;
    let target = target.parse::<u16>().map_or_else(|_| json!(target), |number| json!(number));
    let name = pair.replace(':', "-");
    Ok(json!({"name": name, "port": number, "protocol": "TCP", "targetPort": target}))
}
