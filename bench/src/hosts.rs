//! Hosts as network namespaces. They go with the bench's own namespaces.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};

/// Makes hosts that have nothing but a loopback.
///
/// # Errors
/// Names the command that failed.
pub(crate) fn make(hosts: &[&str]) -> Result<()> {
    static READY: OnceLock<()> = OnceLock::new();
    if READY.get().is_none() {
        std::fs::create_dir_all("/run/netns")?;
        run("mount -t tmpfs none /run/netns")?;
        let _ = READY.set(());
    }
    for host in hosts {
        run(&format!("ip netns add {host}"))?;
        run(&format!("ip -n {host} link set lo up"))?;
    }
    Ok(())
}

/// Gives a host an `eth0` with this address, in the network of the masters.
///
/// # Errors
/// Names the command that failed.
pub(crate) fn connect_to_masters(host: &str, address: &str) -> Result<()> {
    run(&format!("ip link add {host} type veth peer name eth0 netns {host}"))?;
    run(&format!("ip link set {host} master eth0 up"))?;
    run(&format!("ip -n {host} addr add {address}/24 dev eth0"))?;
    run(&format!("ip -n {host} link set eth0 up"))
}

/// A program to be started on a host.
pub(crate) fn command(host: &str, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", host]).arg(program.as_ref());
    command
}

/// Does something on a thread that is on a host.
///
/// # Errors
/// When the thread cannot enter the host, or panicked.
pub(crate) fn within<T: Send>(host: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            enter(host)?;
            Ok(work())
        });
        worker.join().map_err(|_| anyhow::anyhow!("a thread on {host} panicked"))?
    })
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
