//! A pod on every fitting node, the rolling update, and nodes that come and go.

use expect_test::expect;
use proptest::prelude::*;
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
fn a_pod_that_waits_for_a_node_which_was_deleted_goes() {
    let mut world = world();
    world.put(set("v1"));
    world.writes(&[&DaemonSet]);
    world.delete(NODES, "", "n3", None);
    expect![[r#"
        delete Pod log-
          Normal DaemonSet/log: SuccessfulDelete
        status DaemonSet log
    "#]]
    .assert_eq(&world.writes(&[&DaemonSet]));
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

#[test]
fn a_pod_that_is_refused_is_told() {
    let mut world = world();
    world.put(set("v1"));
    world.settle(&[&DaemonSet]);
    let name = world.pods_on("n1")[0].name().to_owned();
    world.delete(PODS, "default", &name, Some(0));
    world.refuses = Some("pods \"log-x\" is forbidden: exceeded quota".to_owned());
    world.take_log();
    let key = ObjectKey::new(DAEMON_SETS, "default", "log");
    (0..2).for_each(|_| drop(world.reconcile(&DaemonSet, &key)));
    expect![[r#"
          Warning DaemonSet/log: FailedCreate
        status DaemonSet log
    "#]]
    .assert_eq(&world.take_log());
    let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
    assert_eq!(counts::status(&stored, "currentNumberScheduled"), 2);
    world.refuses = None;
    world.settle(&[&DaemonSet]);
    let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
    assert_eq!(counts::status(&stored, "currentNumberScheduled"), 3);
}

fn set_image(world: &mut World, image: &str) {
    world.edit(DAEMON_SETS, "default", "log", |set| {
        set.set(&["spec", "template", "spec", "containers"], json!([{"image": image}]));
    });
}

/// Each revision: its number, its image, and why it came.
fn revisions(world: &World) -> Vec<String> {
    let mut lines: Vec<String> = world
        .list(CONTROLLER_REVISIONS, None)
        .iter()
        .map(|revision| {
            let template = ["data", "spec", "template", "spec", "containers"];
            let image = revision.get(&template).expect("containers")[0]["image"].clone();
            let cause = revision.annotation("kubernetes.io/change-cause").unwrap_or("no cause");
            format!("{} {image} {cause}", counts::number(revision, &["revision"]).expect("a number"))
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn templates_are_kept_as_revisions_up_to_the_limit() {
    let mut world = world();
    world.put(set("v1"));
    world.edit(DAEMON_SETS, "default", "log", |set| set.set(&["spec", "revisionHistoryLimit"], 1));
    for image in ["v1", "v2", "v3"] {
        let cause = format!("image {image}");
        world.edit(DAEMON_SETS, "default", "log", |set| {
            set.set(&["metadata", "annotations", "kubernetes.io/change-cause"], cause);
        });
        set_image(&mut world, image);
        world.settle(&[&DaemonSet]);
    }
    assert_eq!(revisions(&world), ["2 \"v2\" image v2", "3 \"v3\" image v3"]);
    set_image(&mut world, "v2");
    world.settle(&[&DaemonSet]);
    let again = ["3 \"v3\" image v3", "4 \"v2\" image v3"];
    assert_eq!(revisions(&world), again, "a template that comes again has its old revision, renumbered");
    let revision = &world.list(CONTROLLER_REVISIONS, None)[0];
    assert_eq!(revision.get(&["data", "spec", "template", "$patch"]), Some(&json!("replace")));
    for pod in world.list(PODS, None) {
        let hash = pod.text(&["metadata", "labels", update::HASH]).to_owned();
        assert!(world.get(CONTROLLER_REVISIONS, "default", &format!("log-{hash}")).is_some(), "{hash}");
    }
}

#[test]
fn a_revisions_name_that_somebody_else_has_is_stepped_around() {
    let mut world = world();
    let stored = world.put(set("v1"));
    let name = format!("log-{}", update::hash(&stored));
    world.put(json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 7, "data": {},
        "metadata": {"namespace": "default", "name": name}}));
    world.settle(&[&DaemonSet]);
    let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
    assert_eq!(counts::status(&stored, "collisionCount"), 1);
    assert_eq!(counts::status(&stored, "updatedNumberScheduled"), 3);
}

#[test]
fn on_delete_only_new_pods_are_of_the_new_template() {
    let mut world = world();
    let mut object = set("v1");
    object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    world.put(object);
    world.settle(&[&DaemonSet]);
    set_image(&mut world, "v2");
    world.settle(&[&DaemonSet]);
    let updated = |world: &World| {
        let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
        counts::status(&stored, "updatedNumberScheduled")
    };
    assert_eq!(updated(&world), 0);
    let name = world.pods_on("n2")[0].name().to_owned();
    world.delete(PODS, "default", &name, None);
    world.settle(&[&DaemonSet]);
    assert_eq!(updated(&world), 1);
}

fn surging(image: &str) -> Value {
    let mut object = set(image);
    let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
    object["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
    object
}

#[test]
fn with_surge_the_new_pod_comes_before_the_old_one_goes() {
    let mut world = world();
    world.put(surging("v1"));
    world.settle(&[&DaemonSet]);
    set_image(&mut world, "broken");
    world.settle(&[&DaemonSet]);
    expect![[r#"
        log- on n1 ready
        log- on n1 unready
        log- on n2 ready
        log- on n3 ready
    "#]]
    .assert_eq(&world.pods());
    set_image(&mut world, "v3");
    world.settle(&[&DaemonSet]);
    expect![[r#"
        log- on n1 ready
        log- on n2 ready
        log- on n3 ready
    "#]]
    .assert_eq(&world.pods());
    let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
    assert_eq!(counts::status(&stored, "updatedNumberScheduled"), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn an_update_with_surge_never_leaves_a_node_without(steps in prop::collection::vec((0_u8..3, 0_usize..8), 0..60)) {
        let mut world = world();
        world.put(surging("v1"));
        world.settle(&[&DaemonSet]);
        let key = ObjectKey::new(DAEMON_SETS, "default", "log");
        for (step, pick) in steps {
            match step {
                0 => drop(world.reconcile(&DaemonSet, &key)),
                1 => world.run_one_pod(pick),
                _ => set_image(&mut world, ["v1", "v2", "v3"][pick % 3]),
            }
            for node in ["n1", "n2", "n3"] {
                let pods = world.pods_on(node);
                let available = pods.iter().filter(|pod| pods::is_active(pod) && pods::is_ready(pod)).count();
                prop_assert!(available >= 1, "{node} has nothing:\n{}", world.pods());
            }
        }
        world.settle(&[&DaemonSet]);
        let stored = world.get(DAEMON_SETS, "default", "log").expect("it exists");
        prop_assert_eq!(counts::status(&stored, "updatedNumberScheduled"), 3);
        prop_assert_eq!(counts::status(&stored, "numberAvailable"), 3);
    }
}
