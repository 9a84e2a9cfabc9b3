//! Who leaves a dead node, when, and how many nodes are given up at once.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::node_lifecycle::NodeLifecycle;
use crate::world::World;

fn pod(world: &mut World, name: &str, node: &str, owner: &str, tolerations: Value) {
    let owner =
        json!([{"apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": "o", "controller": true}]);
    let metadata = json!({"namespace": "default", "name": name, "ownerReferences": owner});
    let spec = json!({"nodeName": node, "containers": [], "tolerations": tolerations});
    world.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
}

fn world(nodes: usize) -> World {
    let mut world = World::new();
    for node in 1..=nodes {
        world.put_node(&format!("n{node}"));
        pod(&mut world, &format!("web{node}"), &format!("n{node}"), "ReplicaSet", json!([]));
    }
    world.settle(&[&NodeLifecycle]);
    world
}

/// Second by second, with these nodes silent: which pods are told to leave, and when.
fn evictions(world: &mut World, silent: &[&str], seconds: u64) -> String {
    let mut lines = String::new();
    for second in 1..=seconds {
        world.advance(1);
        world.hear_all_but(silent);
        let log = world.writes(&[&NodeLifecycle, &TaintEviction]);
        let left = log.lines().filter(|line| line.starts_with("delete"));
        lines.extend(left.map(|line| format!("{second} s: {line}\n")));
    }
    lines
}

#[test]
fn a_dead_node_loses_the_pods_that_may_overlap_after_ten_seconds() {
    let mut world = world(3);
    let forever = json!([{"operator": "Exists"}]);
    let twenty =
        json!([{"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20}]);
    pod(&mut world, "daemon", "n1", "DaemonSet", forever);
    pod(&mut world, "database", "n1", "StatefulSet", json!([]));
    pod(&mut world, "patient", "n1", "ReplicaSet", twenty);
    expect![[r#"
        10 s: delete Pod web1
        25 s: delete Pod patient
    "#]]
    .assert_eq(&evictions(&mut world, &["n1"], 60));
}

#[test]
fn several_dead_nodes_are_given_up_one_by_one() {
    let mut world = world(5);
    expect![[r#"
        10 s: delete Pod web1
        20 s: delete Pod web2
    "#]]
    .assert_eq(&evictions(&mut world, &["n1", "n2"], 60));
}

#[test]
fn when_most_nodes_are_gone_none_is_given_up() {
    let mut world = world(5);
    assert_eq!(evictions(&mut world, &["n1", "n2", "n3"], 60), "");
    let mut world = self::world(1);
    assert_eq!(evictions(&mut world, &["n1"], 60), "");
}

#[test]
fn a_large_cluster_goes_on_slowly() {
    let mut world = world(52);
    let names: Vec<String> = (1..=30).map(|node| format!("n{node}")).collect();
    let silent: Vec<&str> = names.iter().map(String::as_str).collect();
    expect![[r#"
        10 s: delete Pod web1
        110 s: delete Pod web10
    "#]]
    .assert_eq(&evictions(&mut world, &silent, 120));
}

#[test]
fn a_new_leader_waits_before_it_evicts() {
    let mut world = world(3);
    evictions(&mut world, &["n1"], 7);
    world.leading_since = world.now;
    expect![[r#"
        10 s: delete Pod web1
    "#]]
    .assert_eq(&evictions(&mut world, &["n1"], 30));
}

#[test]
fn a_taint_of_a_users_own_acts_at_once() {
    let mut world = world(3);
    world.edit(NODES, "", "n2", |node| {
        node.set(&["spec", "taints"], json!([{"key": "maintenance", "effect": "NoExecute"}]));
    });
    expect![[r#"
        delete Pod web2
          Normal Pod/web2: TaintManagerEviction
    "#]]
    .assert_eq(&world.writes(&[&TaintEviction]));
}

#[test]
fn a_toleration_of_a_while_counts_from_when_the_taint_is_seen_or_the_pod_came() {
    let mut world = world(3);
    let twenty = json!([{"key": "maintenance", "operator": "Exists", "tolerationSeconds": 20}]);
    pod(&mut world, "patient", "n2", "ReplicaSet", twenty.clone());
    world.edit(NODES, "", "n2", |node| {
        node.set(&["spec", "taints"], json!([{"key": "maintenance", "effect": "NoExecute"}]));
    });
    expect![[r#"
        1 s: delete Pod web2
        21 s: delete Pod patient
    "#]]
    .assert_eq(&evictions(&mut world, &[], 30));
    pod(&mut world, "successor", "n2", "ReplicaSet", twenty);
    expect![[r#"
        20 s: delete Pod successor
    "#]]
    .assert_eq(&evictions(&mut world, &[], 30));
}
