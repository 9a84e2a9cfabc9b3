//! The constant part: two sets, three chains, nine rules. In nft's own words, where TAKE is
//! `notrack meta mark set mark accept`:
//!
//! ```text
//! chain prerouting { type filter hook prerouting priority raw
//!   ip daddr . meta l4proto . th dport @services tproxy to LISTENER TAKE
//!   meta l4proto tcp socket transparent 1 TAKE
//!   ip daddr SERVICES meta l4proto tcp reject with tcp reset
//!   ip daddr SERVICES reject
//!   fib daddr type local meta l4proto . th dport @nodeports tproxy to LISTENER TAKE
//!   meta l4proto udp socket transparent 1 TAKE
//!   meta l4proto icmp socket transparent 1 TAKE }
//! chain output { type filter hook output priority raw
//!   socket transparent 1 notrack }
//! chain postrouting { type nat hook postrouting priority srcnat
//!   ip saddr PODS ip daddr != PODS masquerade }
//! ```
//!
//! `tproxy` finds connections that stand already by itself. The rules about transparent
//! sockets are for what it never sees: connections whose Service is gone by now, and the
//! answers of endpoints to a client's own address, and what is said in ICMP instead of an
//! answer. That of UDP comes late, since the socket that answers in a Service's name is
//! transparent too and is never to be asked.
//!
//! The masquerade has the kernel track connections. Those of the proxy need none of it, so
//! they take no place in its table, and none of its time; but for those of clients on the
//! node itself, which are met only once they have left their socket.

use ipnet::Ipv4Net;

use super::expression::{Expressions, Header, Meta, R0, R1, R2};
use super::{ICMP, NODE_PORTS, SERVICES, Settings, TABLE, TCP, UDP, octets};
use crate::netlink::Attributes;

/// A set of concatenated keys.
pub(super) struct Set {
    name: &'static str,
    id: u32,
    /// For `nft list`: six bits for each type.
    key_type: u32,
    key_bytes: u32,
}

const ADDRESS: u32 = 7;
const PROTOCOL: u32 = 12;
const PORT: u32 = 13;

pub(super) const SERVICES_SET: Set =
    Set { name: SERVICES, id: 1, key_type: (ADDRESS << 12) | (PROTOCOL << 6) | PORT, key_bytes: 12 };
pub(super) const NODE_PORTS_SET: Set =
    Set { name: NODE_PORTS, id: 2, key_type: (PROTOCOL << 6) | PORT, key_bytes: 8 };

impl Set {
    pub(super) fn attributes(&self) -> Attributes {
        let names = Attributes::default().text(1, TABLE).text(2, self.name).be32(3, 0);
        names.be32(4, self.key_type).be32(5, self.key_bytes).be32(10, self.id)
    }
}

/// A chain and where it hooks in.
pub(super) struct Chain {
    name: &'static str,
    kind: &'static str,
    hook: u32,
    priority: i32,
}

const PREROUTING: &str = "prerouting";
const OUTPUT: &str = "output";
const POSTROUTING: &str = "postrouting";

/// Before the tracking of connections.
const RAW: i32 = -300;

pub(super) const CHAINS: [Chain; 3] = [
    Chain { name: PREROUTING, kind: "filter", hook: 0, priority: RAW },
    Chain { name: OUTPUT, kind: "filter", hook: 3, priority: RAW },
    Chain { name: POSTROUTING, kind: "nat", hook: 4, priority: 100 },
];

impl Chain {
    pub(super) fn attributes(&self) -> Attributes {
        let hook = Attributes::default().be32(1, self.hook).bytes(2, &self.priority.to_be_bytes());
        let names = Attributes::default().text(1, TABLE).text(3, self.name);
        names.nested(4, &hook).be32(5, 1).text(7, self.kind)
    }
}

/// Every rule with its chain, in order.
pub(super) fn rules(settings: &Settings) -> [(&'static str, Attributes); 9] {
    let services = settings.services;
    [
        (PREROUTING, redirect(service_key(ipv4()).lookup(SERVICES, SERVICES_SET.id, R0), settings)),
        (PREROUTING, take(own_socket(speaks(TCP)), settings)),
        (PREROUTING, destination(speaks(TCP), services).reject_with_reset().into_attributes()),
        (PREROUTING, destination(ipv4(), services).reject_with_icmp().into_attributes()),
        (PREROUTING, redirect(port_key(local(ipv4())).lookup(NODE_PORTS, NODE_PORTS_SET.id, R0), settings)),
        (PREROUTING, take(own_socket(speaks(UDP)), settings)),
        (PREROUTING, take(own_socket(speaks(ICMP)), settings)),
        (OUTPUT, own_socket(ipv4()).notrack().into_attributes()),
        (POSTROUTING, leaves(ipv4(), settings.pods).masquerade().into_attributes()),
    ]
}

fn ipv4() -> Expressions {
    Expressions::default().meta(Meta::Family, R0).equals(R0, &[2])
}

fn speaks(protocol: u8) -> Expressions {
    ipv4().meta(Meta::Protocol, R0).equals(R0, &[protocol])
}

fn own_socket(rule: Expressions) -> Expressions {
    rule.socket_is_transparent(R0).equals(R0, &[1])
}

const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;

fn destination(rule: Expressions, network: Ipv4Net) -> Expressions {
    masked(rule, DESTINATION, network).equals(R0, &octets(network.network()))
}

fn leaves(rule: Expressions, network: Ipv4Net) -> Expressions {
    let from = masked(rule, SOURCE, network).equals(R0, &octets(network.network()));
    masked(from, DESTINATION, network).differs(R0, &octets(network.network()))
}

fn masked(rule: Expressions, offset: u32, network: Ipv4Net) -> Expressions {
    rule.payload(Header::Network, offset, 4, R0).bitwise(R0, octets(network.netmask()), [0; 4])
}

/// RTN_LOCAL, in the host's order.
fn local(rule: Expressions) -> Expressions {
    rule.destination_type(R0).equals(R0, &2_u32.to_ne_bytes())
}

fn service_key(rule: Expressions) -> Expressions {
    let rule = rule.payload(Header::Network, DESTINATION, 4, R0).meta(Meta::Protocol, R1);
    rule.payload(Header::Transport, 2, 2, R2)
}

fn port_key(rule: Expressions) -> Expressions {
    rule.meta(Meta::Protocol, R0).payload(Header::Transport, 2, 2, R1)
}

fn redirect(rule: Expressions, settings: &Settings) -> Attributes {
    let address = octets(*settings.listener.ip());
    let rule = rule.load(R0, &address).load(R1, &settings.listener.port().to_be_bytes());
    take(rule.tproxy(R0, R1), settings)
}

fn take(rule: Expressions, settings: &Settings) -> Attributes {
    let rule = rule.notrack().meta(Meta::Mark, R0);
    let rule = rule.bitwise(R0, (!settings.mark).to_ne_bytes(), settings.mark.to_ne_bytes());
    rule.set_mark(R0).accept().into_attributes()
}
