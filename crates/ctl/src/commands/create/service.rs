//! `create service`: one for the pods with the label `app` of its own name.

use anyhow::{Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::shell;
use crate::only::OnlyArgs;

#[derive(Subcommand)]
pub(crate) enum ServiceKind {
    /// One that pods reach
    Clusterip(ClusterIpArgs),
    /// One that is reached at a port of every node
    Nodeport(NodePortArgs),
    /// One that a load balancer outside of the cluster leads to
    Loadbalancer(PortsArgs),
    /// Another name for something outside of the cluster
    Externalname(ExternalNameArgs),
}

#[derive(Args)]
pub(crate) struct PortsArgs {
    pub(crate) name: String,
    /// The Service's port, and the container's, by number or name; else the same
    #[arg(long, value_name = "PORT[:TARGET]", value_delimiter = ',')]
    pub(crate) tcp: Vec<String>,
    #[command(flatten)]
    pub(crate) only: OnlyArgs,
}

#[derive(Args)]
pub(crate) struct ClusterIpArgs {
    #[command(flatten)]
    pub(crate) ports: PortsArgs,
    /// An address of its own choice; None for a Service without one, whose name stands for its pods
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) clusterip: Option<String>,
}

#[derive(Args)]
pub(crate) struct NodePortArgs {
    #[command(flatten)]
    pub(crate) ports: PortsArgs,
    /// The port of the nodes; else a free one
    #[arg(long, value_name = "PORT")]
    pub(crate) node_port: Option<u16>,
}

#[derive(Args)]
pub(crate) struct ExternalNameArgs {
    #[command(flatten)]
    pub(crate) ports: PortsArgs,
    /// The other name, such as db.example.com
    #[arg(long, value_name = "NAME")]
    pub(crate) external_name: String,
}

/// The Service, and how it is to be made.
pub(super) fn made(kind: &ServiceKind) -> Result<(Object, &OnlyArgs)> {
    match kind {
        ServiceKind::Clusterip(args) => {
            let headless = args.clusterip.as_deref() == Some("None");
            let mut object = service("ClusterIP", &args.ports, !headless)?;
            if let Some(address) = &args.clusterip {
                object.set(&["spec", "clusterIP"], address.as_str());
            }
            Ok((object, &args.ports.only))
        }
        ServiceKind::Nodeport(args) => {
            let mut object = service("NodePort", &args.ports, true)?;
            if let Some(node_port) = args.node_port {
                let [port] = args.ports.tcp.as_slice() else {
                    bail!("--node-port is for one port: give one --tcp with it");
                };
                let mut port = self::port(port)?;
                port["nodePort"] = node_port.into();
                object.set(&["spec", "ports"], json!([port]));
            }
            Ok((object, &args.ports.only))
        }
        ServiceKind::Loadbalancer(args) => Ok((service("LoadBalancer", args, true)?, &args.only)),
        ServiceKind::Externalname(args) => {
            let mut object = service("ExternalName", &args.ports, false)?;
            object.remove(&["spec", "selector"]);
            object.set(&["spec", "externalName"], args.external_name.as_str());
            Ok((object, &args.ports.only))
        }
    }
}

fn service(r#type: &str, args: &PortsArgs, needs_ports: bool) -> Result<Object> {
    if needs_ports && args.tcp.is_empty() {
        bail!("say which port: --tcp PORT or PORT:TARGET, such as 80:8080");
    }
    let ports: Vec<Value> = args.tcp.iter().map(|pair| port(pair)).collect::<Result<_>>()?;
    let labels = json!({"app": args.name});
    let mut object = shell("v1", "Service", &args.name);
    object.set(&["metadata", "labels"], labels.clone());
    object.set(&["spec", "type"], r#type);
    object.set(&["spec", "selector"], labels);
    if !ports.is_empty() {
        object.set(&["spec", "ports"], ports);
    }
    Ok(object)
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
