//! Making, adopting, releasing and choosing pods.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::world::World;

fn set(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"namespace": "default", "name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "web"}]}}},
    })
}

fn stray(name: &str, label: &str) -> Value {
    let metadata = json!({"namespace": "default", "name": name, "labels": {"app": label}});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}})
}

#[test]
fn a_new_set_makes_its_pods_once() {
    let mut world = World::new();
    world.put(set(2));
    expect![[r#"
        create Pod web-
        create Pod web-
          Normal ReplicaSet/web: SuccessfulCreate
          Normal ReplicaSet/web: SuccessfulCreate
        status ReplicaSet web to 2
    "#]]
    .assert_eq(&world.writes(&[&ReplicaSet]));
    world.put_node("n1");
    world.settle(&[&ReplicaSet]);
    expect![[r#"
        {
          "availableReplicas": 2,
          "fullyLabeledReplicas": 2,
          "observedGeneration": 1,
          "readyReplicas": 2,
          "replicas": 2
        }
    "#]]
    .assert_eq(&world.status(REPLICA_SETS, "default", "web"));
}

#[test]
fn strays_are_adopted_and_renamed_pods_let_go() {
    let mut world = World::new();
    world.put_node("n1");
    world.put(stray("stray", "web"));
    world.put(stray("other", "db"));
    world.put(set(2));
    world.settle(&[&ReplicaSet]);
    expect![[r#"
        other on n1 ready
        stray on n1 ready
        web- on n1 ready
    "#]]
    .assert_eq(&world.pods());
    world.edit(PODS, "default", "stray", |pod| pod.set(&["metadata", "labels", "app"], "free"));
    world.settle(&[&ReplicaSet]);
    expect![[r#"
        other on n1 ready
        stray on n1 ready
        web- on n1 ready
        web- on n1 ready
    "#]]
    .assert_eq(&world.pods());
    let stray = world.get(PODS, "default", "stray").expect("it was let go, not deleted");
    assert_eq!(stray.controller_uid(), None);
}

#[test]
fn the_least_valuable_pods_go_first() {
    let mut world = World::new();
    world.put_node("n1");
    world.put_node("n2");
    for name in ["a-crowded", "b-crowded", "c-alone", "d-costly", "e-unready", "f-nowhere"] {
        world.put(stray(name, "web"));
        let node = if name == "c-alone" { "n2" } else { "n1" };
        world.poke(PODS, "default", name, |pod| pod.set(&["spec", "nodeName"], node));
    }
    world.settle(&[]);
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    world.poke(PODS, "default", "d-costly", |pod| pod.set(&["metadata", "annotations", cost], "7"));
    world.poke(PODS, "default", "e-unready", |pod| pod.set(&["status", "conditions"], json!([])));
    world.poke(PODS, "default", "f-nowhere", |pod| pod.set(&["spec", "nodeName"], ""));
    world.poke(PODS, "default", "f-nowhere", |pod| drop(pod.remove(&["status"])));
    let mut order = String::new();
    for replicas in [5, 4, 3, 2, 1] {
        if replicas == 5 {
            world.put(set(replicas));
        } else {
            world.edit(REPLICA_SETS, "default", "web", |set| set.set(&["spec", "replicas"], replicas));
        }
        let log = world.writes(&[&ReplicaSet]);
        order.extend(log.lines().filter(|line| line.starts_with("delete")).map(|line| format!("{line}\n")));
    }
    expect![[r#"
        delete Pod f-nowhere
        delete Pod e-unready
        delete Pod a-crowded
        delete Pod b-crowded
        delete Pod c-alone
    "#]]
    .assert_eq(&order);
}

#[test]
fn availability_takes_min_ready_seconds() {
    let mut world = World::new();
    world.put_node("n1");
    let mut object = set(1);
    object["spec"]["minReadySeconds"] = 5.into();
    world.put(object);
    world.settle(&[&ReplicaSet]);
    let key = ObjectKey::new(REPLICA_SETS, "default", "web");
    let wait = world.reconcile(&ReplicaSet, &key).requeue_after.expect("not yet available");
    assert_eq!(wait.as_secs_f32().ceil(), 5.0);
    world.advance(5);
    world.hear_all_but(&[]);
    assert_eq!(world.reconcile(&ReplicaSet, &key).requeue_after, None);
    let stored = world.get(REPLICA_SETS, "default", "web").expect("it exists");
    assert_eq!(counts::status(&stored, "availableReplicas"), 1);
}

#[test]
fn pods_that_are_refused_are_told_until_they_are_taken() {
    let mut world = World::new();
    world.put_node("n1");
    world.put(set(2));
    world.refuses = Some("pods \"web-x\" is forbidden: exceeded quota".to_owned());
    let key = ObjectKey::new(REPLICA_SETS, "default", "web");
    (0..3).for_each(|_| drop(world.reconcile(&ReplicaSet, &key)));
    expect![[r#"
          Warning ReplicaSet/web: FailedCreate
        status ReplicaSet web to 2
          Warning ReplicaSet/web: FailedCreate
    "#]]
    .assert_eq(&world.take_log());
    expect![[r#"
        {
          "conditions": [
            {
              "message": "pods \"web-x\" is forbidden: exceeded quota",
              "reason": "FailedCreate",
              "status": "True",
              "type": "ReplicaFailure"
            }
          ],
          "observedGeneration": 1,
          "replicas": 0
        }
    "#]]
    .assert_eq(&world.status(REPLICA_SETS, "default", "web"));
    world.refuses = None;
    world.settle(&[&ReplicaSet]);
    let stored = world.get(REPLICA_SETS, "default", "web").expect("it exists");
    assert_eq!((counts::status(&stored, "readyReplicas"), conditions::find(&stored, FAILURE)), (2, None));
}
