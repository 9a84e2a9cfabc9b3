//! Three hosts in a row as network namespaces: `client` (10.60.0.2), `node` (10.60.0.1,
//! 10.61.0.1, and 10.98.0.21 towards the masters), `server` (10.61.0.2).

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};

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
        std::fs::create_dir_all("/run/netns")?;
        run("mount -t tmpfs none /run/netns")?;
        for host in ["client", "node", "server"] {
            run(&format!("ip netns add {host}"))?;
            run(&format!("ip -n {host} link set lo up"))?;
        }
        run("ip link add node type veth peer name eth0 netns node")?;
        run("ip link set node master eth0 up")?;
        run("ip -n node addr add 10.98.0.21/24 dev eth0")?;
        run("ip -n node link set eth0 up")?;
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
        let mut command = Command::new("ip");
        command.args(["netns", "exec", host]).arg(program.as_ref());
        command
    }

    /// Does something on a thread that is on a host.
    ///
    /// # Errors
    /// When the thread cannot enter the host, or panicked.
    pub(crate) fn within<T: Send>(&self, host: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                enter(host)?;
                Ok(work())
            });
            worker.join().map_err(|_| anyhow::anyhow!("a thread on {host} panicked"))?
        })
    }
}

/// Moves this thread to a host.
///
/// # Errors
/// When it is not there.
pub(crate) fn enter(host: &str) -> Result<()> {
    let namespace = File::open(format!("/run/netns/{host}")).with_context(|| host.to_owned())?;
    Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?)
}

/// Runs a command line.
///
/// # Errors
/// Names it when it fails.
pub(crate) fn run(line: &str) -> Result<()> {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap_or_default()).args(words).status();
    ensure!(status.with_context(|| line.to_owned())?.success(), "{line}");
    Ok(())
}
