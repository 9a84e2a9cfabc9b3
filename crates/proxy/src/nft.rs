//! The nftables table `inet xebec`, spoken over netlink: made once with constant rules;
//! after that only the elements of its sets change.

mod expression;
mod rules;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

use ipnet::Ipv4Net;
use xebec_dataplane::Protocol;

use crate::netlink::{Attributes, Messages, NLM_F_APPEND, NLM_F_CREATE, NetlinkError};

/// The name of the table.
pub(crate) const TABLE: &str = "xebec";
const SERVICES: &str = "services";
const NODE_PORTS: &str = "nodeports";

const NETLINK_NETFILTER: isize = 12;
const SUBSYSTEM: u16 = 10;
const NFPROTO_INET: u8 = 1;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const DELETE_ELEMENT: u16 = 14;

/// Elements per message: an attribute is shorter than 64 KiB.
const ELEMENTS_PER_MESSAGE: usize = 1000;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What the constant rules need to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Where the proxy's transparent sockets are, those for TCP and the one for UDP.
    pub(crate) listener: SocketAddrV4,
    /// What is in it and in no set is rejected.
    pub(crate) services: Ipv4Net,
    /// What leaves it is masqueraded.
    pub(crate) pods: Ipv4Net,
    /// The mark that has a packet delivered to this host, whatever its address.
    pub(crate) mark: u32,
}

/// The addresses that are redirected to the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elements {
    /// ClusterIP and port.
    pub(crate) services: BTreeSet<(Protocol, SocketAddrV4)>,
    /// Ports on every address of this node.
    pub(crate) node_ports: BTreeSet<(Protocol, u16)>,
}

/// Makes the table anew with these elements, in one transaction: at no time is a Service
/// refused that has endpoints.
pub(crate) fn install(settings: &Settings, elements: &Elements) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    let table = || Attributes::default().text(1, TABLE);
    batch.add("make the nftables table", NEW_TABLE, NLM_F_CREATE, &table());
    batch.add("drop the old nftables table", DELETE_TABLE, 0, &table());
    batch.add("make the nftables table", NEW_TABLE, NLM_F_CREATE, &table());
    for set in [&rules::SERVICES_SET, &rules::NODE_PORTS_SET] {
        batch.add("make an nftables set", NEW_SET, NLM_F_CREATE, &set.attributes());
    }
    for chain in rules::CHAINS {
        batch.add("make an nftables chain", NEW_CHAIN, NLM_F_CREATE, &chain.attributes());
    }
    for (chain, expressions) in rules::rules(settings) {
        let rule = Attributes::default().text(1, TABLE).text(2, chain).nested(4, &expressions);
        batch.add("make an nftables rule", NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, &rule);
    }
    batch.change(&Elements::default(), elements);
    batch.commit()
}

/// Brings the sets from one content to another, in one transaction.
pub(crate) fn change(from: &Elements, to: &Elements) -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    batch.change(from, to);
    batch.commit()
}

/// Whether the table is there: others flush all that there are.
pub(crate) fn is_there() -> Result<bool, NetlinkError> {
    let mut messages = Messages::default();
    let (kind, table) = ((SUBSYSTEM << 8) | GET_TABLE, Attributes::default().text(1, TABLE));
    messages.add("look for the nftables table", kind, 0, &frame(NFPROTO_INET, 0), &table);
    match messages.send(NETLINK_NETFILTER) {
        Ok(()) => Ok(true),
        Err(error) if error.errno() == Some(nix::libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Drops the table; nothing happens when there is none.
pub(crate) fn remove() -> Result<(), NetlinkError> {
    let mut batch = Batch::new();
    let table = Attributes::default().text(1, TABLE);
    batch.add("make the nftables table", NEW_TABLE, NLM_F_CREATE, &table);
    batch.add("drop the nftables table", DELETE_TABLE, 0, &table);
    batch.commit()
}

/// Each part of a concatenated key fills four bytes.
fn service_key(protocol: Protocol, address: SocketAddrV4) -> Vec<u8> {
    [&address.ip().octets()[..], &port_key(protocol, address.port())].concat()
}

fn port_key(protocol: Protocol, port: u16) -> Vec<u8> {
    let protocol = match protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => UDP,
    };
    [&[protocol, 0, 0, 0][..], &port.to_be_bytes(), &[0, 0]].concat()
}

/// A transaction of nf_tables.
struct Batch {
    messages: Messages,
    empty: bool,
}

impl Batch {
    fn new() -> Self {
        let mut messages = Messages::default();
        messages.add_silent("begin an nftables batch", BATCH_BEGIN, &frame(0, SUBSYSTEM));
        Self { messages, empty: true }
    }

    fn add(&mut self, what: &'static str, message: u16, flags: u16, attributes: &Attributes) {
        self.empty = false;
        let kind = (SUBSYSTEM << 8) | message;
        self.messages.add(what, kind, flags, &frame(NFPROTO_INET, 0), attributes);
    }

    fn change(&mut self, from: &Elements, to: &Elements) {
        let service = |(protocol, address): &(Protocol, SocketAddrV4)| service_key(*protocol, *address);
        let port = |(protocol, port): &(Protocol, u16)| port_key(*protocol, *port);
        let gone = from.services.difference(&to.services).map(service).collect();
        self.elements("drop an element of the set of services", DELETE_ELEMENT, SERVICES, gone);
        let gone = from.node_ports.difference(&to.node_ports).map(port).collect();
        self.elements("drop an element of the set of node ports", DELETE_ELEMENT, NODE_PORTS, gone);
        let new = to.services.difference(&from.services).map(service).collect();
        self.elements("add to the set of services", NEW_ELEMENT, SERVICES, new);
        let new = to.node_ports.difference(&from.node_ports).map(port).collect();
        self.elements("add to the set of node ports", NEW_ELEMENT, NODE_PORTS, new);
    }

    fn elements(&mut self, what: &'static str, message: u16, set: &str, keys: Vec<Vec<u8>>) {
        for chunk in keys.chunks(ELEMENTS_PER_MESSAGE) {
            let list = chunk.iter().fold(Attributes::default(), |list, key| {
                let value = Attributes::default().bytes(1, key);
                list.nested(1, &Attributes::default().nested(1, &value))
            });
            let attributes = Attributes::default().text(1, TABLE).text(2, set).nested(3, &list);
            self.add(what, message, NLM_F_CREATE, &attributes);
        }
    }

    fn commit(mut self) -> Result<(), NetlinkError> {
        if self.empty {
            return Ok(());
        }
        self.messages.add_silent("commit an nftables batch", BATCH_END, &frame(0, SUBSYSTEM));
        self.messages.send(NETLINK_NETFILTER)
    }
}

/// `struct nfgenmsg`.
fn frame(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

/// An address as an operand.
fn octets(address: Ipv4Addr) -> [u8; 4] {
    address.octets()
}
