//! Services and their EndpointSlices, as the ports that one node's proxy serves.
//!
//! What is neither TCP nor UDP, or not IPv4, is left out, and so refused.
//!
//! A ClusterIP belongs to its Service alone, and any other address and port to the first
//! Service that names it: an external address cannot take another Service's clients.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use serde_json::Value;
use xebec_api::object::Object;

use crate::endpoints::{self, Endpoint, Protocol, Slices, protocol};
use crate::json::{list, number, text};

/// How long a client is remembered when its Service does not say.
const DEFAULT_AFFINITY_SECONDS: u64 = 10_800;

/// One port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// `NAMESPACE/SERVICE:PORT`, with the port's name, which may be empty.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Every address under which the Service is reached with its own port.
    pub addresses: Vec<SocketAddrV4>,
    /// The port under which it is reached at every node.
    pub node_port: Option<u16>,
    /// One client meets the same endpoint until it has stayed away for so long
    /// (`sessionAffinity: ClientIP`).
    pub affinity: Option<Duration>,
    /// For what comes to `addresses`.
    pub endpoints: Vec<Endpoint>,
    /// For what comes to `node_port`.
    pub node_port_endpoints: Vec<Endpoint>,
    /// Endpoints that get nothing new and are still there: what stands to them may go on.
    pub retired: Vec<Endpoint>,
}

/// Every port of every Service that has an address, in the order of the Services, as
/// the proxy of `node` serves them (with an empty name no endpoint counts as local).
#[must_use]
pub fn route_table<O: Borrow<Object>>(services: &[O], slices: &[O], node: &str) -> Vec<ServicePort> {
    let by_service = Slices::new(slices);
    let services = || services.iter().map(Borrow::borrow);
    let own: BTreeSet<Ipv4Addr> = services().flat_map(cluster_addresses).collect();
    let mut taken = BTreeSet::new();
    let mut ports = Vec::new();
    for service in services() {
        let slices = by_service.of(service.namespace(), service.name());
        let addresses = addresses(service, &own);
        if addresses.is_empty() {
            continue;
        }
        let all = list(service, &["spec", "ports"]);
        for mut port in all.filter_map(|port| compile_port(service, port, &addresses, slices, node)) {
            port.addresses.retain(|address| taken.insert((port.protocol, *address)));
            ports.push(port);
        }
    }
    ports
}

/// The Service's own addresses; none for a headless one, or a name of something outside.
fn cluster_addresses(service: &Object) -> BTreeSet<Ipv4Addr> {
    if service.text(&["spec", "type"]) == "ExternalName" {
        return BTreeSet::new();
    }
    let one = std::iter::once(service.text(&["spec", "clusterIP"]));
    let all = one.chain(list(service, &["spec", "clusterIPs"]).filter_map(Value::as_str));
    all.filter_map(|text| text.parse().ok()).collect()
}

/// Every address of a Service. `own` are the ClusterIPs of all Services.
fn addresses(service: &Object, own: &BTreeSet<Ipv4Addr>) -> Vec<Ipv4Addr> {
    let mut all: Vec<Ipv4Addr> = cluster_addresses(service).into_iter().collect();
    if service.text(&["spec", "type"]) == "ExternalName" {
        return all;
    }
    let external = list(service, &["spec", "externalIPs"]).filter_map(Value::as_str);
    let balanced = list(service, &["status", "loadBalancer", "ingress"]).map(|ingress| text(ingress, "ip"));
    let others: BTreeSet<Ipv4Addr> = external.chain(balanced).filter_map(|text| text.parse().ok()).collect();
    all.extend(others.difference(own));
    all
}

fn compile_port(
    service: &Object,
    port: &Value,
    addresses: &[Ipv4Addr],
    slices: &[&Object],
    node: &str,
) -> Option<ServicePort> {
    let (own, protocol) = (number(port, "port")?, protocol(port)?);
    let known = endpoints::of(slices, text(port, "name"), protocol, node);
    let policy = |field: &str| service.text(&["spec", field]) == "Local";
    let exposed = matches!(service.text(&["spec", "type"]), "NodePort" | "LoadBalancer");
    let node_port = number(port, "nodePort").filter(|_| exposed);
    let internal = endpoints::choose(&known, policy("internalTrafficPolicy"));
    let external = match node_port {
        Some(_) => endpoints::choose(&known, policy("externalTrafficPolicy")),
        None => Vec::new(),
    };
    let retired = known.keys().copied();
    let retired = retired.filter(|endpoint| !internal.contains(endpoint) && !external.contains(endpoint));
    Some(ServicePort {
        name: format!("{}/{}:{}", service.namespace(), service.name(), text(port, "name")),
        protocol,
        addresses: addresses.iter().map(|address| SocketAddrV4::new(*address, own)).collect(),
        node_port,
        affinity: affinity(service),
        retired: retired.collect(),
        endpoints: internal,
        node_port_endpoints: external,
    })
}

fn affinity(service: &Object) -> Option<Duration> {
    let path = ["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"];
    let seconds = service.get(&path).and_then(Value::as_u64).unwrap_or(DEFAULT_AFFINITY_SECONDS);
    (service.text(&["spec", "sessionAffinity"]) == "ClientIP").then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
