//! A node falls silent, is tainted, and comes back.

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::world::World;

fn node(world: &World) -> String {
    let node = world.get(NODES, "", "n1").expect("it exists");
    let taints: Vec<String> =
        taints(&node).iter().map(|taint| format!(" {}:{}", taint.key, taint.effect)).collect();
    let ready =
        conditions::find(&node, "Ready").map_or("none", |ready| ready["status"].as_str().expect("text"));
    format!("Ready {ready}{}\n", taints.concat())
}

fn world() -> World {
    let mut world = World::new();
    world.put_node("n1");
    world.put_node("n2");
    world
}

#[test]
fn silence_makes_a_node_unknown_and_its_pods_unready_until_it_is_heard_of_again() {
    let mut world = world();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "p"},
        "spec": {"nodeName": "n1", "containers": []}});
    world.put(pod);
    world.settle(&[&NodeLifecycle]);
    world.advance(4);
    assert_eq!(world.writes(&[&NodeLifecycle]), "");
    world.advance(1);
    world.hear_all_but(&["n1"]);
    expect![[r#"
        status Node n1
          Normal Node/n1: NodeNotReady
        update Node n1
        status Pod p
          Warning Pod/p: NodeNotReady
    "#]]
    .assert_eq(&world.writes(&[&NodeLifecycle]));
    assert_eq!(world.pods(), "p on n1 unready\n");
    expect![[r#"
        Ready Unknown node.kubernetes.io/unreachable:NoSchedule node.kubernetes.io/unreachable:NoExecute
    "#]]
    .assert_eq(&node(&world));
    world.hear_all_but(&[]);
    world.writes(&[&NodeLifecycle]);
    assert_eq!(node(&world), "Ready True\n");
}

#[test]
fn a_new_leader_listens_before_it_judges() {
    let mut world = world();
    world.advance(3600);
    world.leading_since = world.now;
    assert_eq!(world.writes(&[&NodeLifecycle]), "");
    world.advance(4);
    let key = ObjectKey::new(NODES, "", "n1");
    let wait = world.reconcile(&NodeLifecycle, &key).requeue_after.expect("it comes back");
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
}

#[test]
fn a_new_node_has_time_to_speak_up() {
    let mut world = world();
    world.advance(3600);
    world.hear_all_but(&[]);
    world.put_node("n3");
    world.seen.remove("n3");
    assert_eq!(world.writes(&[&NodeLifecycle]), "");
    world.advance(5);
    world.hear_all_but(&[]);
    assert_eq!(world.writes(&[&NodeLifecycle]).lines().next(), Some("status Node n3"));
}

#[test]
fn taints_follow_conditions_and_leave_others_alone() {
    let mut world = world();
    world.edit(NODES, "", "n1", |node| {
        node.set(&["spec", "taints"], json!([{"key": "mine", "effect": "NoSchedule"}]));
        node.set(&["spec", "unschedulable"], true);
    });
    let conditions =
        json!([{"type": "Ready", "status": "False"}, {"type": "DiskPressure", "status": "True"}]);
    world.poke(NODES, "", "n1", |node| node.set(&["status", "conditions"], conditions));
    world.settle(&[&NodeLifecycle]);
    expect![[r#"
        Ready False mine:NoSchedule node.kubernetes.io/not-ready:NoSchedule node.kubernetes.io/not-ready:NoExecute node.kubernetes.io/disk-pressure:NoSchedule node.kubernetes.io/unschedulable:NoSchedule
    "#]]
    .assert_eq(&node(&world));
    world.edit(NODES, "", "n1", |node| drop(node.remove(&["spec", "unschedulable"])));
    world.poke(NODES, "", "n1", |node| node.set(&["status", "conditions"], json!([])));
    world.settle(&[&NodeLifecycle]);
    expect![[r#"
        Ready none mine:NoSchedule node.kubernetes.io/not-ready:NoSchedule
    "#]]
    .assert_eq(&node(&world));
}
