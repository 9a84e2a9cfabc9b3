//! Host ports: what pods take of a node's own addresses.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{is_host_network, is_sidecar};

use crate::Refusal;

/// A port on a node that a container asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    address: String,
    protocol: String,
    port: u64,
}

impl HostPort {
    /// What is said of a node where it is taken.
    pub(crate) fn taken(&self) -> Refusal {
        Refusal::PortTaken { port: self.port, protocol: self.protocol.clone() }
    }

    /// Two ports clash when a packet could be meant for either.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        let any = |port: &Self| port.address == "0.0.0.0";
        let address = self.address == other.address || any(self) || any(other);
        address && self.protocol == other.protocol && self.port == other.port
    }
}

/// Every host port of a pod, of its sidecars too; with the host's network every container port is one.
pub(crate) fn host_ports(pod: &Object) -> Vec<HostPort> {
    let host_network = is_host_network(pod);
    let list = |key| pod.get(&["spec", key]).and_then(Value::as_array).into_iter().flatten();
    let sidecars = list("initContainers").filter(|container| is_sidecar(container));
    let containers = list("containers").chain(sidecars);
    let ports = containers.filter_map(|container| container.get("ports")?.as_array()).flatten();
    ports
        .filter_map(|port| {
            let text = |key, otherwise: &str| match port.get(key).and_then(Value::as_str) {
                None | Some("") => otherwise.to_owned(),
                Some(text) => text.to_owned(),
            };
            let asked = port.get("hostPort").and_then(Value::as_u64).filter(|port| *port > 0);
            let implied = || port.get("containerPort").and_then(Value::as_u64).filter(|_| host_network);
            let port = asked.or_else(implied)?;
            Some(HostPort { address: text("hostIP", "0.0.0.0"), protocol: text("protocol", "TCP"), port })
        })
        .collect()
}
