//! What a host of the demo holds for pods, beside the pods that it should run: whatever
//! belongs to no such pod was left behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::demo::Demo;

/// Fails as long as a host holds more, or less, than its pods explain.
///
/// # Errors
/// What is there and what was expected.
pub fn host_holds_its_pods_only(demo: &Demo, host: &str) -> Result<()> {
    let pods =
        demo.xctl_json(&["get", "pods", "-A", "--field-selector", &format!("spec.nodeName={host}")])?;
    let pods: Vec<&Value> = pods["items"].as_array().context("a list")?.iter().collect();
    let uids: BTreeSet<String> = pods.iter().map(|pod| text(pod, "/metadata/uid")).collect();
    let routed = pods.iter().filter(|pod| pod["spec"]["hostNetwork"] != true);
    let addresses: BTreeSet<String> = routed.map(|pod| text(pod, "/status/podIP")).collect();
    let data = demo.dir().join(host).join("data");
    for (what, found) in [
        ("folders of running pods", folders(&data.join("run"))),
        ("shims", shims(&data.join("run"))),
        ("cgroups", cgroups(host)),
        ("pods that processes belong to", cgroups_of_processes(host)),
    ] {
        ensure!(found == uids, "{host}: {what}: {found:?}, but its pods are {uids:?}");
    }
    let routes = routes(host)?;
    ensure!(routes == addresses, "{host}: routes to {routes:?}, but its pods have {addresses:?}");
    let links = lines(host, "ip -o link show")?.into_iter().filter(|line| line.contains(": xb")).count();
    ensure!(links == addresses.len(), "{host}: {links} links for {} pods", addresses.len());
    let tables = lines(host, "nft list tables")?;
    ensure!(tables == ["table inet xebec"], "{host}: {tables:?}");
    mounts_belong_to(&uids, demo, host, &data)
}

fn text(pod: &Value, pointer: &str) -> String {
    pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn folders(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The pods of the shims that live.
fn shims(run: &Path) -> BTreeSet<String> {
    let prefix = format!("{}/", run.display());
    let lines = processes().filter_map(|dir| fs::read(dir.join("cmdline")).ok());
    let words = lines.flat_map(|line| {
        let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        words.collect::<Vec<_>>()
    });
    words.filter_map(|word| word.strip_prefix(&prefix).map(str::to_owned)).collect()
}

fn processes() -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir("/proc").expect("/proc is there").filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.join("cgroup").exists())
}

/// The pods that have a cgroup, in any hierarchy.
fn cgroups(host: &str) -> BTreeSet<String> {
    let below = |root: &Path| pod_names(folders(&root.join("xebec").join(host)));
    let root = Path::new("/sys/fs/cgroup");
    let mut all = below(root);
    all.extend(folders(root).iter().flat_map(|hierarchy| below(&root.join(hierarchy))));
    all
}

fn pod_names(folders: BTreeSet<String>) -> BTreeSet<String> {
    folders.iter().filter_map(|name| name.strip_prefix("pod")).map(str::to_owned).collect()
}

/// The pods by whose cgroups processes run.
fn cgroups_of_processes(host: &str) -> BTreeSet<String> {
    let marker = format!("/xebec/{host}/pod");
    let texts = processes().filter_map(|dir| fs::read_to_string(dir.join("cgroup")).ok());
    let pods = texts.filter_map(|text| {
        let (_, rest) = text.split_once(&marker)?;
        rest.split(['/', '\n']).next().map(str::to_owned)
    });
    pods.collect()
}

/// The addresses on this host that the pod network routes to a link.
fn routes(host: &str) -> Result<BTreeSet<String>> {
    let routes = lines(host, "ip -o route show proto 118 scope link")?;
    Ok(routes.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn lines(host: &str, command: &str) -> Result<Vec<String>> {
    let output = Command::new("ip")
        .args(["netns", "exec", &format!("xeb-{host}")])
        .args(command.split(' '))
        .output()?;
    ensure!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(|line| line.trim().to_owned()).collect())
}

/// Whether every mount below the data folder, as the agent sees them, is of a pod.
fn mounts_belong_to(uids: &BTreeSet<String>, demo: &Demo, host: &str, data: &Path) -> Result<()> {
    let mounts = fs::read_to_string(format!("/proc/{}/mounts", demo.pid(host)?))?;
    let data = data.display().to_string();
    for mount in mounts.lines().filter(|line| line.contains(&data)) {
        ensure!(uids.iter().any(|uid| mount.contains(uid)), "{host}: a mount of no pod: {mount}");
    }
    Ok(())
}
