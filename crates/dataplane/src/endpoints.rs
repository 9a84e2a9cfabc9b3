//! Which endpoints of a Service's slices are used.
//!
//! Ready ones; while there are none, those that are on their way out and still serve, so
//! that the last pods of a Service answer to their end. A policy of `Local` narrows the
//! choice first: the node's own pod on its way out comes before another node's ready one.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use crate::json::{list, number, text};

/// What a port speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

/// Where a connection may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The pod's address, and the port there.
    pub address: SocketAddrV4,
    /// It is on the node that the table is for.
    pub local: bool,
}

/// The slices of IPv4 addresses, by the namespace and the name of their Service.
pub(crate) struct Slices<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a Object>>);

impl<'a> Slices<'a> {
    pub(crate) fn new<O: Borrow<Object>>(slices: &'a [O]) -> Self {
        let mut by_service: BTreeMap<_, Vec<&Object>> = BTreeMap::new();
        let slices = slices.iter().map(Borrow::borrow);
        for slice in slices.filter(|slice: &&Object| slice.text(&["addressType"]) == "IPv4") {
            let service = slice.text(&["metadata", "labels", SERVICE_NAME]);
            by_service.entry((slice.namespace(), service)).or_default().push(slice);
        }
        Self(by_service)
    }

    pub(crate) fn of<'s>(&'s self, namespace: &'s str, service: &'s str) -> &'s [&'s Object] {
        self.0.get(&(namespace, service)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// What a port of a Service or a slice speaks; `None` for what is not served.
pub(crate) fn protocol(port: &Value) -> Option<Protocol> {
    match text(port, "protocol") {
        "" | "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        _ => None,
    }
}

/// What an endpoint is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Nothing new.
    Retired,
    /// It serves and is on its way out.
    Leaving,
    /// It serves.
    Ready,
}

/// Every endpoint that the slices name for a port, in the order of the addresses.
pub(crate) fn of(
    slices: &[&Object],
    port_name: &str,
    speaks: Protocol,
    node: &str,
) -> BTreeMap<Endpoint, Use> {
    let mut known = BTreeMap::new();
    for slice in slices {
        let mut ports = list(slice, &["ports"]).filter(|port| protocol(port) == Some(speaks));
        let port = ports.find(|port| text(port, "name") == port_name).and_then(|port| number(port, "port"));
        let Some(port) = port else { continue };
        for endpoint in list(slice, &["endpoints"]) {
            let address = endpoint.pointer("/addresses/0").and_then(Value::as_str);
            let Some(address) = address.and_then(|text| text.parse().ok()) else { continue };
            let local = !node.is_empty() && text(endpoint, "nodeName") == node;
            let entry = Endpoint { address: SocketAddrV4::new(address, port), local };
            // A pod may stand in two slices for a moment: what is said last is not known.
            let best = known.entry(entry).or_insert(Use::Retired);
            *best = (*best).max(usefulness(endpoint));
        }
    }
    known
}

fn usefulness(endpoint: &Value) -> Use {
    let condition = |name: &str| endpoint.get("conditions")?.get(name)?.as_bool();
    if condition("ready").unwrap_or(true) {
        return Use::Ready;
    }
    match (condition("terminating"), condition("serving")) {
        (Some(true), Some(true)) => Use::Leaving,
        _ => Use::Retired,
    }
}

/// Those that new connections go to.
pub(crate) fn choose(known: &BTreeMap<Endpoint, Use>, local_only: bool) -> Vec<Endpoint> {
    let near = || known.iter().filter(|(endpoint, _)| endpoint.local || !local_only);
    let Some(best) = near().map(|(_, usefulness)| *usefulness).max() else { return Vec::new() };
    let best = near().filter(|(_, usefulness)| **usefulness == best && best != Use::Retired);
    best.map(|(endpoint, _)| *endpoint).collect()
}
