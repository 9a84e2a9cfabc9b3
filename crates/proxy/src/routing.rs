//! The routes that bring packets for Services to this host: a rule that sends marked
//! packets to a table in which everything is local, and the whole Service range as local
//! addresses of `lo`, for clients on the host itself.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::netlink::{Attributes, Messages, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NetlinkError};

/// One bit of the packet mark; the others belong to whoever else uses them.
pub(crate) const MARK: u32 = 0x0010_0000;

const NETLINK_ROUTE: isize = 0;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;

/// The number of our table, and the preference of our rule.
const TABLE: u32 = 0x7865;
const LOCAL_TABLE: u32 = 255;
/// `lo` is the first device of every network namespace.
const LOOPBACK: u32 = 1;

const FAMILY_IPV4: u8 = 2;
const TYPE_LOCAL: u8 = 2;
const SCOPE_HOST: u8 = 254;
const PROTOCOL_STATIC: u8 = 4;

/// Adds the rule and the routes; those that are there stay.
pub(crate) fn install(services: Ipv4Net) -> Result<(), NetlinkError> {
    let create = NLM_F_CREATE | NLM_F_REPLACE;
    send("add the route for marked packets", NEW_ROUTE, create, &marked_route())?;
    send("add the route for Services", NEW_ROUTE, create, &service_route(services))?;
    let added = send("add the rule for marked packets", NEW_RULE, NLM_F_CREATE | NLM_F_EXCL, &rule());
    unless(added, nix::libc::EEXIST)
}

/// Takes them away again; those that are gone are no error.
pub(crate) fn remove(services: Ipv4Net) -> Result<(), NetlinkError> {
    let gone = nix::libc::ESRCH;
    let rule = send("drop the rule for marked packets", DELETE_RULE, 0, &rule());
    let rule = unless(rule, nix::libc::ENOENT);
    let marked = unless(send("drop the route for marked packets", DELETE_ROUTE, 0, &marked_route()), gone);
    let service = send("drop the route for Services", DELETE_ROUTE, 0, &service_route(services));
    rule.and(marked).and(unless(service, gone))
}

fn unless(result: Result<(), NetlinkError>, errno: i32) -> Result<(), NetlinkError> {
    match result {
        Err(error) if error.errno() == Some(errno) => Ok(()),
        other => other,
    }
}

/// A fixed part and its attributes.
type Message = ([u8; 12], Attributes);

fn send(what: &'static str, kind: u16, flags: u16, message: &Message) -> Result<(), NetlinkError> {
    let mut messages = Messages::default();
    messages.add(what, kind, flags, &message.0, &message.1);
    messages.send(NETLINK_ROUTE)
}

/// `local default dev lo table TABLE`.
fn marked_route() -> Message {
    (route(0), Attributes::default().ne32(4, LOOPBACK).ne32(15, TABLE))
}

/// `local SERVICES dev lo src 127.0.0.1 table local`. The source is given since an answer
/// to an address out of the Service range would be rejected.
fn service_route(services: Ipv4Net) -> Message {
    let attributes = Attributes::default().bytes(1, &services.network().octets()).ne32(4, LOOPBACK);
    let attributes = attributes.bytes(7, &Ipv4Addr::LOCALHOST.octets()).ne32(15, LOCAL_TABLE);
    (route(services.prefix_len()), attributes)
}

/// `struct rtmsg` of a local route; the table stands in an attribute.
fn route(prefix: u8) -> [u8; 12] {
    [FAMILY_IPV4, prefix, 0, 0, 0, PROTOCOL_STATIC, SCOPE_HOST, TYPE_LOCAL, 0, 0, 0, 0]
}

/// `fwmark MARK/MARK lookup TABLE pref TABLE`.
fn rule() -> Message {
    let attributes = Attributes::default().ne32(6, TABLE).ne32(10, MARK).ne32(16, MARK).ne32(15, TABLE);
    ([FAMILY_IPV4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], attributes)
}
