//! The embedded form, `scripts/up.sh --single`: one process, one node, the same guestbook,
//! and nothing left afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use xebec_tests::demo::{Closing, Demo};
use xebec_tests::waiting::eventually;

#[test]
fn one_process_serves_the_guestbook_and_leaves_nothing() {
    let Some(demo) = Demo::up_single() else { return };
    let closing = demo.closing().clone();
    let Closing { url, ingress, kubeconfig } = &closing;
    assert!(url.starts_with("http://") && url.ends_with(":30080"), "{url}");
    assert_eq!(*ingress, url.replace(":30080", ":30880"));
    assert_eq!(*kubeconfig, demo.kubeconfig().display().to_string());
    eventually("a post", Duration::from_secs(20), || curl(&["-d", "entry=alone", &format!("{url}/entries")]));
    assert!(curl(&[&format!("{url}/entries")]).expect("answers").contains("alone"));

    what_it_uses_is_shown(&demo);
    what_holds_secrets_is_its_owners_alone(&demo);
    let before = seen(&demo);
    assert_eq!(demo.bring_up(), closing, "the same closing lines");
    assert_eq!(seen(&demo), before, "a second up.sh changes nothing that works");
    demo.down();
}

/// The master's and the node's folder, the keys, and what the containers were configured by, which
/// has the Secrets of their environment.
fn what_holds_secrets_is_its_owners_alone(demo: &Demo) {
    let data = demo.dir().join("single/data");
    for folder in ["master", "master/pki", "node", "node/pki"] {
        assert_eq!(mode(&data.join(folder)), 0o700, "{folder}");
    }
    let mut files = vec![demo.kubeconfig(), data.join("token")];
    for folder in ["master/pki", "node/pki"] {
        files.extend(entries(&data.join(folder)));
    }
    let pods = entries(&data.join("node/run")).into_iter().map(|pod| pod.join("c"));
    let containers = pods.filter(|path| path.is_dir()).flat_map(|path| entries(&path));
    let configurations: Vec<PathBuf> =
        containers.map(|path| path.join("config.json")).filter(|path| path.exists()).collect();
    assert!(!configurations.is_empty(), "the guestbook runs");
    files.extend(configurations);
    let open = files.iter().filter(|path| mode(path) != 0o600);
    let open: Vec<String> = open.map(|path| format!("{:o} {}", mode(path), path.display())).collect();
    assert!(open.is_empty(), "for others to read: {open:#?}");
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// By `top`: the node, and each container of the guestbook's pods. The guestbook itself may hold
/// less than a MiB, which is shown as 0 as kubectl does; redis never does.
fn what_it_uses_is_shown(demo: &Demo) {
    let nodes = demo.xctl(&["top", "nodes"]).expect("measures");
    assert!(nodes.starts_with("NAME") && nodes.contains('%') && nodes.lines().count() == 2, "{nodes}");
    eventually("what the pods use", Duration::from_secs(30), || {
        let pods = demo.xctl(&["top", "pods", "--containers", "--no-headers", "--sort-by", "memory"])?;
        let mut seen = Vec::new();
        for line in pods.lines() {
            let [pod, container, cpu, memory] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                anyhow::bail!("four columns: {line}")
            };
            let (cpu, memory) = (cpu.strip_suffix('m'), memory.strip_suffix("Mi"));
            let _: u64 = cpu.context("millicores")?.parse()?;
            let held: u64 = memory.context("mebibytes")?.parse()?;
            ensure!(pod.contains('-') && held < 64, "{line}");
            seen.push((container.to_owned(), held));
        }
        let count = |name: &str| seen.iter().filter(|(container, _)| container == name).count();
        ensure!(count("guestbook") == 2 && count("redis") == 1, "{pods}");
        ensure!(seen.iter().any(|(container, held)| container == "redis" && *held > 0), "{pods}");
        ensure!(seen.is_sorted_by_key(|(_, held)| std::cmp::Reverse(*held)), "{pods}");
        Ok(())
    });
}

/// What a user would see change: the process, and the pods with their restarts.
fn seen(demo: &Demo) -> (i32, Vec<String>) {
    let pods = demo.xctl_json(&["get", "pods", "-A"]).expect("pods");
    let pods = pods["items"].as_array().expect("a list").iter().map(|pod| {
        format!("{} {}", pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
    });
    (demo.pid("single").expect("a pid"), pods.collect())
}

fn curl(args: &[&str]) -> Result<String> {
    let output =
        Command::new("curl").args(["-fsS", "--max-time", "3"]).args(args).output().context("curl")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
