//! Who may depend on whom. Dependencies point down, and the pure crates stay pure.

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata, Package};

/// A crate, and the crates of ours that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("xebec-api", &[]),
    ("xebec-state", &[]),
    ("xebec-scheduler", &["xebec-api"]),
    ("xebec-controllers", &["xebec-api", "xebec-dataplane"]),
    ("xebec-dataplane", &["xebec-api"]),
    ("xebec-rpc", &["xebec-api"]),
    ("xebec-client", &["xebec-api", "xebec-rpc"]),
    ("xebec-raft", &["xebec-rpc", "xebec-state"]),
    ("xebec-runtime", &["xebec-api"]),
    ("xebec-apiserver", &["xebec-api", "xebec-rpc", "xebec-state"]),
    (
        "xebec-master",
        &[
            "xebec-api",
            "xebec-apiserver",
            "xebec-controllers",
            "xebec-raft",
            "xebec-rpc",
            "xebec-scheduler",
            "xebec-state",
        ],
    ),
    ("xebec-agent", &["xebec-api", "xebec-client", "xebec-rpc", "xebec-runtime"]),
    ("xebec-ingress", &["xebec-api", "xebec-client", "xebec-dataplane"]),
    ("xebec-proxy", &["xebec-api", "xebec-client", "xebec-dataplane"]),
    ("xebec-ctl", &["xebec-api", "xebec-client", "xebec-rpc", "xebec-scheduler"]),
    ("xebec-dns", &["xebec-api", "xebec-client", "xebec-dataplane"]),
];

/// Crates that take time, ids and randomness as arguments and do no I/O.
const PURE: &[&str] =
    &["xebec-api", "xebec-state", "xebec-scheduler", "xebec-controllers", "xebec-dataplane"];

/// What no pure crate may use.
const IMPURE: &[&str] =
    &["tokio", "tonic", "sled", "rand", "openraft", "libcontainer", "nix", "libc", "uuid"];

/// Checks the normal dependencies of every package.
///
/// # Errors
/// Names each dependency that points up or brings I/O into a pure crate.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == package.name.as_str()) else {
            continue;
        };
        for dependency in normal_dependencies(package) {
            if dependency.starts_with("xebec") && !allowed.contains(&dependency) {
                broken.push(format!("{} may not use {dependency}", package.name));
            }
            if PURE.contains(&package.name.as_str()) && IMPURE.contains(&dependency) {
                broken.push(format!("{} is pure and may not use {dependency}", package.name));
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("\n")) }
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
    normal.map(|d| d.name.as_str())
}
