//! A pod on every fitting node, the rolling update, and nodes that come and go.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::world::World;

fn set(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"namespace": "default", "name": "log"},
        "spec": {"selector": {"matchLabels": {"app": "log"}}, "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": {"app": "log"}}, "spec": {"containers": [{"image": image}]}}},
    })
}

fn world() -> World {
    let mut world = World::new();
    ["n1", "n2", "n3"].iter().for_each(|node| world.put_node(node));
    world
}

fn taint(world: &mut World, node: &str, key: &str, effect: &str) {
    world
        .edit(NODES, "", node, |node| node.set(&["spec", "taints"], json!([{"key": key, "effect": effect}])));
}

#[test]
fn every_node_gets_one_pod() {
    let mut world = world();
    world.put(set("v1"));
    world.settle(&[&DaemonSet]);
    expect![[r#"
        log- on n1 ready
        log- on n2 ready
        log- on n3 ready
    "#]]
    .assert_eq(&world.pods());
    expect![[r#"
        {
          "currentNumberScheduled": 3,
          "desiredNumberScheduled": 3,
          "numberAvailable": 3,
          "numberMisscheduled": 0,
          "numberReady": 3,
          "observedGeneration": 1,
          "updatedNumberScheduled": 3
        }
    "#]]
    .assert_eq(&world.status(DAEMON_SETS, "default", "log"));
    world.put_node("n4");
    assert_eq!(world.writes(&[&DaemonSet]).lines().next(), Some("create Pod log-"));
}

#[test]
fn taints_keep_pods_away_or_drive_them_out() {
    let mut world = world();
    taint(&mut world, "n1", "role", "NoSchedule");
    world.put(set("v1"));
    world.settle(&[&DaemonSet]);
    taint(&mut world, "n2", "role", "NoSchedule");
    taint(&mut world, "n3", "role", "NoExecute");
    world.settle(&[&DaemonSet]);
    expect![[r#"
        log- on n2 ready
    "#]]
    .assert_eq(&world.pods());
    taint(&mut world, "n1", "node.kubernetes.io/not-ready", "NoExecute");
    taint(&mut world, "n2", "node.kubernetes.io/unreachable", "NoSchedule");
    world.settle(&[&DaemonSet]);
    expect![[r#"
        log- on n1 ready
        log- on n2 ready
    "#]]
    .assert_eq(&world.pods());
}

#[test]
fn an_update_takes_one_node_after_the_other() {
    let mut world = world();
    world.put(set("v1"));
    world.settle(&[&DaemonSet]);
    world.edit(DAEMON_SETS, "default", "log", |set| {
        set.set(&["spec", "template", "spec", "containers"], json!([{"image": "broken"}]));
    });
    world.settle(&[&DaemonSet]);
    expect![[r#"
        log- on n1 unready
        log- on n2 ready
        log- on n3 ready
    "#]]
    .assert_eq(&world.pods());
    world.edit(DAEMON_SETS, "default", "log", |set| {
        set.set(&["spec", "template", "spec", "containers"], json!([{"image": "v3"}]));
    });
    world.settle(&[&DaemonSet]);
    let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
    assert_eq!(counts::status(&stored, "updatedNumberScheduled"), 3);
    assert_eq!(counts::status(&stored, "numberAvailable"), 3);
}

#[test]
fn a_failed_pod_is_replaced_after_a_pause() {
    let mut world = world();
    world.put(set("v1"));
    world.settle(&[&DaemonSet]);
    let name = world.pods_on("n1")[0].name().to_owned();
    world.poke(PODS, "default", &name, |pod| pod.set(&["status", "phase"], "Failed"));
    expect![[r#"
        status DaemonSet log
    "#]]
    .assert_eq(&world.writes(&[&DaemonSet]));
    world.advance(10);
    world.hear_all_but(&[]);
    expect![[r#"
        delete Pod log-
          Warning DaemonSet/log: FailedDaemonPod
        create Pod log-
          Normal DaemonSet/log: SuccessfulCreate
        status DaemonSet log
    "#]]
    .assert_eq(&world.writes(&[&DaemonSet]));
}
