//! Services and their EndpointSlices, as the ports that one node's proxy serves.
//!
//! What is neither TCP nor UDP, or not IPv4, is left out, and so refused.
//!
//! A ClusterIP belongs to its Service alone, and any other address and port to the first
//! Service that names it: an external address cannot take another Service's clients.
//!
//! Who comes to an external address from outside of the cluster meets the endpoints that
//! `externalTrafficPolicy` says; who comes from inside meets all of them, as at a load balancer.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipnet::Ipv4Net;
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
    /// The ClusterIPs, with the Service's own port.
    pub addresses: Vec<SocketAddrV4>,
    /// Its `externalIPs`, with the same port.
    pub external_addresses: Vec<SocketAddrV4>,
    /// Those that a load balancer sends on as they are, with the same port.
    pub balanced_addresses: Vec<SocketAddrV4>,
    /// Who may come to `balanced_addresses`; everybody when there are none.
    pub source_ranges: Vec<Ipv4Net>,
    /// The port under which it is reached at every node.
    pub node_port: Option<u16>,
    /// One client meets the same endpoint until it has stayed away for so long
    /// (`sessionAffinity: ClientIP`).
    pub affinity: Option<Duration>,
    /// For what comes to `addresses`.
    pub endpoints: Vec<Endpoint>,
    /// For what comes to `node_port`, and from outside of the cluster to the other addresses.
    pub node_port_endpoints: Vec<Endpoint>,
    /// For what comes from inside of the cluster to the other addresses.
    pub inside_endpoints: Vec<Endpoint>,
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
        let addresses = Addresses::of(service, &own);
        // A headless one is none of the proxy's, whatever other addresses it names.
        if addresses.cluster.is_empty() {
            continue;
        }
        let all = list(service, &["spec", "ports"]);
        for mut port in all.filter_map(|port| compile_port(service, port, &addresses, slices, node)) {
            let protocol = port.protocol;
            for list in [&mut port.addresses, &mut port.external_addresses, &mut port.balanced_addresses] {
                list.retain(|address| taken.insert((protocol, *address)));
            }
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

/// Every address of a Service.
struct Addresses {
    cluster: Vec<Ipv4Addr>,
    external: Vec<Ipv4Addr>,
    balanced: Vec<Ipv4Addr>,
}

impl Addresses {
    /// `own` are the ClusterIPs of all Services.
    fn of(service: &Object, own: &BTreeSet<Ipv4Addr>) -> Self {
        let external = list(service, &["spec", "externalIPs"]).filter_map(Value::as_str);
        let balanced = list(service, &["status", "loadBalancer", "ingress"]);
        // What a balancer ends by itself comes back to another address.
        let balanced = balanced.filter(|ingress| text(ingress, "ipMode") != "Proxy");
        Self {
            cluster: cluster_addresses(service).into_iter().collect(),
            external: others(external, own),
            balanced: others(balanced.map(|ingress| text(ingress, "ip")), own),
        }
    }

    fn are_known_outside(&self) -> bool {
        !self.external.is_empty() || !self.balanced.is_empty()
    }
}

fn others<'a>(texts: impl Iterator<Item = &'a str>, own: &BTreeSet<Ipv4Addr>) -> Vec<Ipv4Addr> {
    let all: BTreeSet<Ipv4Addr> = texts.filter_map(|text| text.parse().ok()).collect();
    all.difference(own).copied().collect()
}

fn compile_port(
    service: &Object,
    port: &Value,
    addresses: &Addresses,
    slices: &[&Object],
    node: &str,
) -> Option<ServicePort> {
    let (own, protocol) = (number(port, "port")?, protocol(port)?);
    let known = endpoints::of(slices, text(port, "name"), protocol, node);
    let policy = |field: &str| service.text(&["spec", field]) == "Local";
    let exposed = matches!(service.text(&["spec", "type"]), "NodePort" | "LoadBalancer");
    let node_port = number(port, "nodePort").filter(|_| exposed);
    let outside = addresses.are_known_outside();
    let chosen = |needed: bool, local_only| match needed {
        true => endpoints::choose(&known, local_only),
        false => Vec::new(),
    };
    let internal = chosen(true, policy("internalTrafficPolicy"));
    let external = chosen(node_port.is_some() || outside, policy("externalTrafficPolicy"));
    let inside = chosen(outside, false);
    let used = |endpoint: &Endpoint| [&internal, &external, &inside].iter().any(|all| all.contains(endpoint));
    let retired = known.keys().copied().filter(|endpoint| !used(endpoint)).collect();
    let with_port = |addresses: &[Ipv4Addr]| {
        addresses.iter().map(|address| SocketAddrV4::new(*address, own)).collect::<Vec<_>>()
    };
    Some(ServicePort {
        name: format!("{}/{}:{}", service.namespace(), service.name(), text(port, "name")),
        protocol,
        addresses: with_port(&addresses.cluster),
        external_addresses: with_port(&addresses.external),
        balanced_addresses: with_port(&addresses.balanced),
        source_ranges: source_ranges(service),
        node_port,
        affinity: affinity(service),
        retired,
        endpoints: internal,
        node_port_endpoints: external,
        inside_endpoints: inside,
    })
}

/// Those of IPv4: a Service that names only others' lets every client of IPv4 in, as in Kubernetes.
fn source_ranges(service: &Object) -> Vec<Ipv4Net> {
    let ranges = list(service, &["spec", "loadBalancerSourceRanges"]).filter_map(Value::as_str);
    ranges.filter_map(|range| range.trim().parse().ok()).collect()
}

fn affinity(service: &Object) -> Option<Duration> {
    let path = ["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"];
    let seconds = service.get(&path).and_then(Value::as_u64).unwrap_or(DEFAULT_AFFINITY_SECONDS);
    (service.text(&["spec", "sessionAffinity"]) == "ClientIP").then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
