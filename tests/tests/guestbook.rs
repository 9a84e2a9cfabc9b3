//! The whole main job on real processes: the guestbook stays reachable through every
//! node while the leader, an agent and a node are lost, one after another.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

const NODES: [&str; 2] = ["10.99.0.21", "10.99.0.22"];

#[test]
fn the_guestbook_survives_the_loss_of_a_leader_an_agent_and_a_node() {
    let Some(demo) = Demo::up() else { return };
    for node in NODES {
        post(node, &format!("from-{node}"));
    }
    running_it_again_changes_nothing(&demo);
    the_leader_is_killed(&demo);
    an_agent_is_killed(&demo);
    a_node_without_redis_loses_power(&demo);
    the_node_with_redis_loses_power(&demo);
    demo.down();
}

fn running_it_again_changes_nothing(demo: &Demo) {
    let before = (pids(demo), pods(demo));
    let (url, kubeconfig) = demo.bring_up();
    assert_eq!(url, "http://10.99.0.21:30080");
    assert_eq!(kubeconfig, demo.kubeconfig().display().to_string());
    assert_eq!((pids(demo), pods(demo)), before, "a second up.sh changes nothing that works");
}

fn the_leader_is_killed(demo: &Demo) {
    let before = pods(demo);
    let leader = demo.leader().expect("a leader");
    demo.kill_component(&leader);
    let next = eventually("another leader", Duration::from_secs(10), || {
        let next = demo.leader()?;
        ensure!(next != leader, "{leader} still leads");
        Ok(next)
    });
    assert_ne!(next, leader);
    demo.xctl(&["create", "configmap", "after-the-leader", "--from-literal=a=b"]).expect("writes go on");
    assert_all_entries_everywhere(&["from-10.99.0.21", "from-10.99.0.22"]);
    assert_eq!(pods(demo), before, "no pod notices the loss of a master");
    demo.bring_up();
    demo.xctl(&["delete", "configmap", "after-the-leader"]).expect("deletes");
}

fn an_agent_is_killed(demo: &Demo) {
    let before = pods(demo);
    demo.kill_component("n1");
    assert_all_entries_everywhere(&["from-10.99.0.21", "from-10.99.0.22"]);
    demo.bring_up();
    assert_eq!(pods(demo), before, "the next agent adopts the pods as they run");
}

fn a_node_without_redis_loses_power(demo: &Demo) {
    let (spare, kept) = if node_of(demo, "redis") == "n1" { ("n2", "n1") } else { ("n1", "n2") };
    demo.cut_power(spare);
    eventually("two guestbooks on the other node", Duration::from_secs(30), || {
        let pods = demo.xctl_json(&["get", "pods", "-l", "app=guestbook"])?;
        let ready = items(&pods).filter(|pod| pod["spec"]["nodeName"] == kept && is_ready(pod)).count();
        ensure!(ready == 2, "{ready} are ready on {kept}");
        Ok(())
    });
    let address = if kept == "n1" { NODES[0] } else { NODES[1] };
    eventually("the entries", Duration::from_secs(10), || {
        let found = entries(address)?;
        ensure!(found.contains("from-10.99.0.21") && found.contains("from-10.99.0.22"), "{found}");
        Ok(())
    });
    demo.bring_up();
    eventually("both ways in", Duration::from_secs(20), || {
        NODES.iter().try_for_each(|n| entries(n).map(drop))
    });
}

fn the_node_with_redis_loses_power(demo: &Demo) {
    let lost = node_of(demo, "redis");
    let address = if lost == "n1" { NODES[1] } else { NODES[0] };
    demo.cut_power(&lost);
    eventually("redis elsewhere, empty as its emptyDir says", Duration::from_secs(40), || {
        let found = entries(address)?;
        ensure!(!found.contains("from-"), "{found}");
        Ok(())
    });
    post(address, "after-redis");
    assert!(entries(address).expect("answers").contains("after-redis"));
}

fn assert_all_entries_everywhere(wanted: &[&str]) {
    for node in NODES {
        eventually(&format!("the entries by {node}"), Duration::from_secs(10), || {
            let found = entries(node)?;
            ensure!(wanted.iter().all(|entry| found.contains(entry)), "{found}");
            Ok(())
        });
    }
}

/// What a user would see change if a pod were replaced or restarted.
fn pods(demo: &Demo) -> Vec<(String, String, u64)> {
    let pods = demo.xctl_json(&["get", "pods", "-A"]).expect("pods");
    let mut seen: Vec<_> = items(&pods)
        .map(|pod| {
            let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
            let container = pod["status"]["containerStatuses"][0].clone();
            let id = container["containerID"].as_str().unwrap_or_default().to_owned();
            (name, id, container["restartCount"].as_u64().unwrap_or_default())
        })
        .collect();
    seen.sort();
    seen
}

fn pids(demo: &Demo) -> Vec<i32> {
    ["m1", "m2", "m3", "n1", "n2"].map(|host| demo.pid(host).expect("a pid")).to_vec()
}

fn node_of(demo: &Demo, app: &str) -> String {
    let pods = demo.xctl_json(&["get", "pods", "-l", &format!("app={app}")]).expect("pods");
    let pod = items(&pods).find(|pod| is_ready(pod)).expect("a ready pod");
    pod["spec"]["nodeName"].as_str().expect("a node").to_owned()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

fn post(node: &str, entry: &str) {
    eventually(&format!("a post to {node}"), Duration::from_secs(10), || {
        curl(&["-d", &format!("entry={entry}"), &format!("http://{node}:30080/entries")])
    });
}

fn entries(node: &str) -> Result<String> {
    curl(&[&format!("http://{node}:30080/entries")])
}

fn curl(args: &[&str]) -> Result<String> {
    let output =
        Command::new("curl").args(["-fsS", "--max-time", "3"]).args(args).output().context("curl")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
