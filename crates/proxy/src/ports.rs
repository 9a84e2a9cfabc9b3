//! How soon a port of the node may lead to the same endpoint again. A connection that its
//! client ended keeps its port for a minute, in TIME-WAIT. To an endpoint on another node all
//! of a node's clients come from its one address: some 470 a second would take all ports, and
//! what comes then would be refused. With time stamps, which tell old segments from new ones,
//! a port is good again after a second (RFC 6191); by itself the kernel does that on loopback only.
//!
//! It is a setting of the node's network, for connections that are made from it and no others.
//! Whoever has set it otherwise than it is by default knows why.

use std::fs;

const REUSE: &str = "/proc/sys/net/ipv4/tcp_tw_reuse";
/// On loopback only, which is the default.
const LOOPBACK: &str = "2";
const EVERYWHERE: &str = "1";

/// Allows it, and takes that back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reuse {
    changed: bool,
}

impl Reuse {
    pub(crate) fn allow() -> Self {
        Self { changed: change(LOOPBACK, EVERYWHERE) }
    }
}

impl Drop for Reuse {
    fn drop(&mut self) {
        if self.changed {
            change(EVERYWHERE, LOOPBACK);
        }
    }
}

/// What is taken back for a proxy that was killed: nobody knows any more whether it was that
/// which set it, but it is the default.
pub(crate) fn take_back() {
    change(EVERYWHERE, LOOPBACK);
}

/// Whether it was changed.
fn change(from: &str, to: &str) -> bool {
    let known = fs::read_to_string(REUSE).unwrap_or_default();
    if known.trim() != from {
        return false;
    }
    if let Err(error) = fs::write(REUSE, to) {
        tracing::warn!(%error, "cannot set net.ipv4.tcp_tw_reuse: many short connections may find no port");
        return false;
    }
    true
}
