//! Services and their EndpointSlices, as the ports that one node's proxy serves.
//!
//! Ready endpoints are used; while there are none, those that are on their way out and
//! still serve. What is neither TCP nor IPv4 is left out, and so refused.
//!
//! A ClusterIP belongs to its Service alone, and any other address and port to the first
//! Service that names it: an external address cannot take another Service's clients.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use serde_json::Value;
use xebec_api::object::Object;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// One port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePort {
    /// Every address under which the Service is reached with its own port.
    pub addresses: Vec<SocketAddrV4>,
    /// The port under which it is reached at every node.
    pub node_port: Option<u16>,
    /// One client always meets the same endpoint (`sessionAffinity: ClientIP`).
    pub sticky: bool,
    /// For connections to `addresses`.
    pub endpoints: Vec<Endpoint>,
    /// For connections to `node_port`.
    pub node_port_endpoints: Vec<Endpoint>,
}

/// Where a connection may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The pod's address, and the port there.
    pub address: SocketAddrV4,
    /// It is on the node that the table is for.
    pub local: bool,
}

/// Every port of every Service that has an address, in the order of the Services, as
/// the proxy of `node` serves them (with an empty name no endpoint counts as local).
#[must_use]
pub fn route_table<O: Borrow<Object>>(services: &[O], slices: &[O], node: &str) -> Vec<ServicePort> {
    let mut by_service: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
    let slices = slices.iter().map(Borrow::borrow);
    for slice in slices.filter(|slice: &&Object| slice.text(&["addressType"]) == "IPv4") {
        let service = slice.text(&["metadata", "labels", SERVICE_NAME]);
        by_service.entry((slice.namespace(), service)).or_default().push(slice);
    }
    let services = || services.iter().map(Borrow::borrow);
    let own: BTreeSet<Ipv4Addr> = services().flat_map(cluster_addresses).collect();
    let mut taken = BTreeSet::new();
    let mut ports = Vec::new();
    for service in services() {
        let slices = by_service.get(&(service.namespace(), service.name()));
        let slices = slices.map(Vec::as_slice).unwrap_or_default();
        let addresses = addresses(service, &own);
        if addresses.is_empty() {
            continue;
        }
        let tcp = list(service, &["spec", "ports"]).filter(|port| is_tcp(port));
        for mut port in tcp.filter_map(|port| compile_port(service, port, &addresses, slices, node)) {
            port.addresses.retain(|address| taken.insert(*address));
            ports.push(port);
        }
    }
    ports
}

fn list<'a>(object: &'a Object, path: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(path).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> Option<u16> {
    let number = value.get(key)?.as_u64()?;
    u16::try_from(number).ok().filter(|number| *number > 0)
}

fn is_tcp(port: &Value) -> bool {
    matches!(text(port, "protocol"), "" | "TCP")
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
    let own = number(port, "port")?;
    let endpoints = endpoints(slices, text(port, "name"), node);
    let policy = |field: &str| service.text(&["spec", field]) == "Local";
    let near = |only: bool| {
        let kept = endpoints.iter().filter(|endpoint| endpoint.local || !only);
        kept.copied().collect::<Vec<_>>()
    };
    let exposed = matches!(service.text(&["spec", "type"]), "NodePort" | "LoadBalancer");
    Some(ServicePort {
        addresses: addresses.iter().map(|address| SocketAddrV4::new(*address, own)).collect(),
        node_port: number(port, "nodePort").filter(|_| exposed),
        sticky: service.text(&["spec", "sessionAffinity"]) == "ClientIP",
        endpoints: near(policy("internalTrafficPolicy")),
        node_port_endpoints: near(policy("externalTrafficPolicy")),
    })
}

fn endpoints(slices: &[&Object], port_name: &str, node: &str) -> Vec<Endpoint> {
    let (mut ready, mut leaving) = (BTreeSet::new(), BTreeSet::new());
    for slice in slices {
        let mut ports = list(slice, &["ports"]).filter(|port| is_tcp(port));
        let port = ports.find(|port| text(port, "name") == port_name).and_then(|port| number(port, "port"));
        let Some(port) = port else { continue };
        for endpoint in list(slice, &["endpoints"]) {
            let address = endpoint.pointer("/addresses/0").and_then(Value::as_str);
            let Some(address) = address.and_then(|text| text.parse().ok()) else { continue };
            let local = !node.is_empty() && text(endpoint, "nodeName") == node;
            let entry = Endpoint { address: SocketAddrV4::new(address, port), local };
            let condition = |name: &str| endpoint.get("conditions")?.get(name)?.as_bool();
            if condition("ready").unwrap_or(true) {
                ready.insert(entry);
            } else if condition("terminating") == Some(true) && condition("serving") == Some(true) {
                leaving.insert(entry);
            }
        }
    }
    if ready.is_empty() { leaving } else { ready }.into_iter().collect()
}

#[cfg(test)]
mod tests;
