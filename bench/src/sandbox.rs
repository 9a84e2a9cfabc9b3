//! Namespaces of the bench's own: everything it starts ends with it, its network is seen
//! by nobody, and what is left afterwards, empty cgroups, is taken away.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

/// The one address that masters, nodes and peers share.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);

/// Runs this very program again inside fresh namespaces, and cleans up behind it.
///
/// # Errors
/// Without root, while a demo is up, or when the run inside failed.
pub(crate) fn enter() -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "this needs root: network namespaces, mounts and cgroups");
    ensure!(cgroups().is_empty(), "a node n1 runs on this machine: scripts/down.sh first");
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(env::current_exe().context("a program has a path")?)
        .args(env::args_os().skip(1))
        .arg("--inside")
        .status()
        .context("unshare (package util-linux)")?;
    for tree in cgroups() {
        remove(&tree);
        // Other nodes' may be beside it.
        let _ = tree.parent().map(fs::remove_dir);
    }
    ensure!(status.success(), "the run failed");
    Ok(())
}

/// The cgroups of a node of the name that ours has, in every hierarchy.
fn cgroups() -> Vec<PathBuf> {
    let trees = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().filter_map(Result::ok);
    let trees = trees.map(|tree| tree.path()).chain([PathBuf::from("/sys/fs/cgroup")]);
    trees.map(|tree| tree.join("xebec/n1")).filter(|tree| tree.is_dir()).collect()
}

/// Removes a cgroup and those below it; one that is not empty stays.
fn remove(tree: &Path) {
    let below = fs::read_dir(tree).into_iter().flatten().filter_map(Result::ok);
    below.map(|entry| entry.path()).filter(|path| path.is_dir()).for_each(|path| remove(&path));
    let _ = fs::remove_dir(tree);
}

/// A link with an address and a default route: what a host has.
///
/// # Errors
/// Names the command that failed.
pub(crate) fn set_up_network() -> Result<()> {
    let address = format!("addr add {ADDRESS}/24 dev eth0");
    let commands = [
        "link set lo up",
        "link add eth0 type bridge",
        &address,
        "link set eth0 up",
        "route add default dev eth0",
    ];
    for command in commands {
        let status = Command::new("ip").args(command.split(' ')).status().context("ip (package iproute2)")?;
        ensure!(status.success(), "ip {command}");
    }
    Ok(())
}
