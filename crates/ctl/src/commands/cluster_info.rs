//! `cluster-info`: where the cluster is reached, and its own services in it.

use anyhow::Result;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_client::{ListParams, Reason};

use crate::asked;
use crate::output::Out;
use crate::session::Session;

/// Where the cluster has what is its own.
const SYSTEM: &str = "kube-system";
/// What a Service that every cluster has says of itself.
const OF_THE_CLUSTER: &str = "kubernetes.io/cluster-service";

/// Shows it, once a master has answered.
pub(crate) async fn run(session: &Session, out: &mut Out) -> Result<()> {
    session.client.discover().await?;
    for (index, server) in session.client.servers().iter().enumerate() {
        let what = if index == 0 { "Kubernetes control plane is running at" } else { "  and at" };
        out.line(format!("{what} {server}"))?;
    }
    let services = session.client.list(asked::row("services")?, SYSTEM, &ListParams::default()).await;
    let services = match services {
        Ok(list) => list.items,
        // Who may not see them is told the rest.
        Err(error) if error.reason == Reason::Forbidden => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    for line in services.iter().filter_map(place) {
        out.line(line)?;
    }
    Ok(out.note("\n`xctl cluster status` shows the masters, and which of them leads.")?)
}

/// Where a Service is reached, if it is one for people.
fn place(service: &Object) -> Option<String> {
    let name = service.name();
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array)?;
    let node_ports: Vec<String> =
        ports.iter().filter_map(|port| Some(port.get("nodePort")?.to_string())).collect();
    if !node_ports.is_empty() {
        return Some(format!("{name} is running at port {} of every node", node_ports.join(" and ")));
    }
    let labelled = service.labels().any(|(key, value)| key == OF_THE_CLUSTER && value == "true");
    labelled.then(|| format!("{name} is running at {}", service.text(&["spec", "clusterIP"])))
}
