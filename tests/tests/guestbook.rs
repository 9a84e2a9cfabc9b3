//! The whole main job on real processes: the guestbook stays reachable through every
//! node while the leader, an agent and a node are lost, one after another.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::orphans;
use xebec_tests::waiting::eventually;
use xebec_tests::xctl::Watch;

const NODES: [&str; 2] = ["10.99.0.21", "10.99.0.22"];
const SOON: Duration = Duration::from_secs(30);

#[test]
fn the_guestbook_survives_the_loss_of_a_leader_an_agent_and_a_node() {
    let Some(demo) = Demo::up() else { return };
    for node in NODES {
        post(node, &format!("from-{node}"));
    }
    running_it_again_changes_nothing(&demo);
    a_user_looks_around(&demo);
    a_user_rolls_out_and_back(&demo);
    nothing_is_orphaned(&demo);
    the_leader_is_killed(&demo);
    nothing_is_orphaned(&demo);
    an_agent_is_killed(&demo);
    nothing_is_orphaned(&demo);
    a_node_without_redis_loses_power(&demo);
    nothing_is_orphaned(&demo);
    the_node_with_redis_loses_power(&demo);
    demo.bring_up();
    nothing_is_orphaned(&demo);
    demo.down();
}

fn running_it_again_changes_nothing(demo: &Demo) {
    let before = (pids(demo), pods(demo));
    let closing = demo.bring_up();
    assert_eq!(closing.url, "http://10.99.0.21:30080");
    assert_eq!(closing.ingress, "http://10.99.0.21:30880");
    assert_eq!(closing.kubeconfig, demo.kubeconfig().display().to_string());
    assert_eq!((pids(demo), pods(demo)), before, "a second up.sh changes nothing that works");
}

/// Every host holds what its pods explain, and nothing of pods that are gone.
fn nothing_is_orphaned(demo: &Demo) {
    for host in ["n1", "n2"] {
        eventually("a host with its pods only", Duration::from_secs(30), || {
            orphans::host_holds_its_pods_only(demo, host)
        });
    }
}

fn a_user_looks_around(demo: &Demo) {
    let website = name_of(demo, "website");
    let exec = |words: &[&str]| demo.xctl_output(&[&["exec", &website, "--"], words].concat()).expect("xctl");
    let page = exec(&["cat", "/www/index.html"]);
    assert_eq!(String::from_utf8_lossy(&page.stdout), "<h1>Xebec</h1><p>A website served by busybox.</p>\n");
    assert_eq!(exec(&["sh", "-c", "exit 7"]).status.code(), Some(7), "the command's own exit code");
    let log = demo.xctl(&["logs", "deploy/redis"]).expect("logs");
    assert!(log.contains("Ready to accept connections"), "{log}");
    let last = demo.xctl(&["logs", "deploy/redis", "--tail", "1"]).expect("logs");
    assert_eq!(last.lines().count(), 1, "{last}");
    let page = demo.xctl(&["describe", "pod", &website]).expect("describes");
    for part in [website.as_str(), "xebec.local/busybox:1", "Scheduled", "Events"] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let secret = demo.xctl(&["describe", "secret", "redis"]).expect("describes");
    assert!(secret.contains("password") && !secret.contains("three-masts"), "{secret}");
    let token = demo.xctl(&["token", "create", "--ttl", "1m"]).expect("a token");
    assert!(token.starts_with("xbc1") && token.trim().split('.').count() == 3, "a token");
}

fn a_user_rolls_out_and_back(demo: &Demo) {
    let template = || {
        let sets = demo.xctl_json(&["get", "replicasets", "-l", "app=guestbook"]).expect("sets");
        let live = items(&sets).find(|set| set["spec"]["replicas"] == 2).expect("one set has the pods");
        live["metadata"]["name"].clone()
    };
    let first = template();
    let done = |demo: &Demo| {
        demo.xctl(&["rollout", "status", "deployment/guestbook", "--timeout", "60s"]).expect("rolls out");
        eventually("one ReplicaSet with the pods", Duration::from_secs(20), || {
            let pods = demo.xctl_json(&["get", "pods", "-l", "app=guestbook"])?;
            ensure!(items(&pods).count() == 2 && items(&pods).all(is_ready), "{pods}");
            Ok(())
        });
    };
    demo.xctl(&["rollout", "restart", "deployment/guestbook"]).expect("restarts");
    done(demo);
    assert_ne!(template(), first, "new pods of a new template");
    demo.xctl(&["rollout", "undo", "deployment/guestbook"]).expect("goes back");
    done(demo);
    assert_eq!(template(), first, "the old template again");
    assert_all_entries_everywhere(&["from-10.99.0.21", "from-10.99.0.22"]);
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
    let address = if kept == "n1" { NODES[0] } else { NODES[1] };
    let (nodes, watched) =
        (demo.watch(&["get", "nodes"]), demo.watch(&["get", "pods", "-l", "app=guestbook"]));
    eventually("both watches", SOON, || {
        ensure!(
            nodes.lines().len() == 3 && watched.lines().len() == 3,
            "{:?} {:?}",
            nodes.lines(),
            watched.lines()
        );
        Ok(())
    });
    let visitors = Visitors::come(address);
    demo.cut_power(spare);
    eventually("two guestbooks on the other node", Duration::from_secs(30), || {
        let pods = demo.xctl_json(&["get", "pods", "-l", "app=guestbook"])?;
        let ready = items(&pods).filter(|pod| pod["spec"]["nodeName"] == kept && is_ready(pod)).count();
        ensure!(ready == 2, "{ready} are ready on {kept}");
        Ok(())
    });
    eventually("the entries", Duration::from_secs(10), || {
        let found = entries(address)?;
        ensure!(found.contains("from-10.99.0.21") && found.contains("from-10.99.0.22"), "{found}");
        Ok(())
    });
    let failed = visitors.leave();
    assert!(
        failed.iter().all(|after| *after < SOON),
        "the other node's visitors were refused after {failed:?}"
    );
    the_loss_is_seen(demo, spare, &nodes, &watched);
    demo.bring_up();
    eventually("the node again", SOON, || {
        let rows = nodes.since(3);
        let last = rows.iter().rfind(|row| row.starts_with(spare)).map(String::as_str).unwrap_or_default();
        ensure!(last.split_whitespace().nth(1) == Some("Ready"), "{rows:?}");
        Ok(())
    });
    eventually("both ways in", Duration::from_secs(20), || {
        NODES.iter().try_for_each(|n| entries(n).map(drop))
    });
}

/// Who watches sees the node go and its pods replaced, and later finds why.
fn the_loss_is_seen(demo: &Demo, node: &str, nodes: &Watch, pods: &Watch) {
    let column = |row: &str, number: usize| row.split_whitespace().nth(number).unwrap_or_default().to_owned();
    let rows = nodes.since(3);
    assert!(rows.iter().any(|row| column(row, 0) == node && column(row, 1) == "NotReady"), "{rows:?}");
    let rows = pods.since(3);
    for status in ["Terminating", "Pending", "Running"] {
        assert!(rows.iter().any(|row| column(row, 2) == status), "no pod was {status}: {rows:?}");
    }
    let events = demo.xctl(&["events", "--for", &format!("node/{node}")]).expect("events");
    assert!(events.contains("NodeNotReady"), "{events}");
    let page = demo.xctl(&["describe", "node", node]).expect("describes");
    assert!(page.contains("node.kubernetes.io/unreachable"), "{page}");
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

fn name_of(demo: &Demo, app: &str) -> String {
    let pods = demo.xctl_json(&["get", "pods", "-l", &format!("app={app}")]).expect("pods");
    let pod = items(&pods).find(|pod| is_ready(pod)).expect("a ready pod");
    pod["metadata"]["name"].as_str().expect("a name").to_owned()
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

/// Who reads the guestbook by one node, again and again.
struct Visitors {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Visitors {
    fn come(node: &'static str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (stop, start) = (Arc::clone(&done), Instant::now());
        let thread = std::thread::spawn(move || {
            let mut failed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                if entries(node).is_err() {
                    failed.push(start.elapsed());
                }
            }
            failed
        });
        Self { done, thread }
    }

    /// When they met an error.
    fn leave(self) -> Vec<Duration> {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("it did not panic")
    }
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
