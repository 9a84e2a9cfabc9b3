//! The embedded form, `scripts/up.sh --single`: one process, one node, the same guestbook,
//! and nothing left afterwards.

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
    let before = seen(&demo);
    assert_eq!(demo.bring_up(), closing, "the same closing lines");
    assert_eq!(seen(&demo), before, "a second up.sh changes nothing that works");
    demo.down();
}

/// By `top`: the node, and each container of the guestbook's pods with some memory.
fn what_it_uses_is_shown(demo: &Demo) {
    let nodes = demo.xctl(&["top", "nodes"]).expect("measures");
    assert!(nodes.starts_with("NAME") && nodes.contains('%') && nodes.lines().count() == 2, "{nodes}");
    eventually("what the pods use", Duration::from_secs(30), || {
        let pods = demo.xctl(&["top", "pods", "--containers", "--no-headers", "--sort-by", "memory"])?;
        let guestbooks = pods.lines().filter(|line| line.starts_with("guestbook-")).collect::<Vec<_>>();
        ensure!(guestbooks.len() == 2, "{pods}");
        for line in guestbooks {
            let [_, container, cpu, memory] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                anyhow::bail!("four columns: {line}")
            };
            let used: u64 = memory.trim_end_matches("Mi").parse()?;
            ensure!(container == "guestbook" && cpu.ends_with('m') && (1..64).contains(&used), "{line}");
        }
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
