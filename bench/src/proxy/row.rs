//! Three hosts in a row as network namespaces: `client` (10.60.0.2), `node` (10.60.0.1,
//! 10.61.0.1, and 10.98.0.21 towards the masters), `server` (10.61.0.2).

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::hosts::{self, run};

/// Where the server's things listen.
pub(crate) const IPERF: u16 = 5201;
pub(crate) const HTTP: u16 = 8080;
pub(crate) const ECHO: u16 = 9000;
pub(crate) const HOLD: u16 = 9001;
/// Every one of them.
pub(crate) const PORTS: [u16; 4] = [IPERF, HTTP, ECHO, HOLD];

/// The hosts; they go with the bench's own namespaces.
pub(crate) struct Row;

/// The direct way.
pub(crate) fn server_address(port: u16) -> String {
    format!("10.61.0.2:{port}")
}

impl Row {
    /// Makes the hosts.
    ///
    /// # Errors
    /// Names the command that failed.
    pub(crate) fn lay() -> Result<Self> {
        hosts::make(&["client", "node", "server"])?;
        hosts::connect_to_masters("node", "10.98.0.21")?;
        for (host, network) in [("client", "10.60.0"), ("server", "10.61.0")] {
            run(&format!("ip -n node link add {host} type veth peer name eth0 netns {host}"))?;
            run(&format!("ip -n node addr add {network}.1/24 dev {host}"))?;
            run(&format!("ip -n node link set {host} up"))?;
            run(&format!("ip -n {host} addr add {network}.2/24 dev eth0"))?;
            run(&format!("ip -n {host} link set eth0 up"))?;
            run(&format!("ip -n {host} route add default via {network}.1"))?;
        }
        let row = Self;
        row.within("node", || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))??;
        row.within("client", || std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535"))??;
        row.within("client", || std::fs::write("/proc/sys/net/ipv4/tcp_tw_reuse", "1"))??;
        row.within("node", || std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10240 65535"))??;
        Ok(row)
    }

    /// A program to be started on a host.
    pub(crate) fn command(&self, host: &str, program: impl AsRef<Path>) -> Command {
        hosts::command(host, program)
    }

    /// Does something on a thread that is on a host.
    ///
    /// # Errors
    /// When the thread cannot enter the host, or panicked.
    pub(crate) fn within<T: Send>(&self, host: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
        hosts::within(host, work)
    }
}
