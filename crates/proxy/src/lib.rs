//! The userspace Service proxy: one constant nftables table, transparent sockets on
//! one port, `splice(2)`, a thread for each processor. It runs as a pod with the host's network on every node.
//!
//! A packet to a ClusterIP, or to a node port on an address of this node, is redirected
//! to the proxy by a set element; the connection or datagram that arrives still has the
//! address that its client meant. Changes to Services change set elements and the table
//! in memory, never rules, and break no connection that stands.

mod affinity;
mod config;
mod engine;
mod forward;
mod neighbours;
mod netlink;
mod nft;
mod pipes;
mod ports;
mod relay;
mod routes;
mod routing;
mod serve;
mod udp;
mod workers;

pub use config::{Config, ConfigError, service_cidr};
pub use engine::{EngineError, clean_up};
pub use netlink::NetlinkError;
pub use serve::{ProxyError, run};
