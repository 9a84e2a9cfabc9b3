//! A namespace is emptied before it goes.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::resources::PODS;
use crate::world::World;

fn world() -> World {
    let mut world = World::new();
    world.put_node("n1");
    world.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"},
        "spec": {"finalizers": ["kubernetes"]}}));
    for (kind, name) in [("Pod", "p"), ("ConfigMap", "c")] {
        world.put(json!({"apiVersion": "v1", "kind": kind, "metadata": {"namespace": "x", "name": name},
            "spec": {"nodeName": "n1"}}));
    }
    world
}

/// Its conditions that are told of something: each with its reason and message.
fn conditions(world: &World) -> String {
    let namespace = world.get(NAMESPACES, "", "x").expect("it exists");
    let list = namespace.get(&["status", "conditions"]).and_then(Value::as_array).cloned();
    let text = |condition: &Value, key: &str| condition[key].as_str().unwrap_or_default().to_owned();
    let line = |condition: &Value| {
        let [kind, status, message] = ["type", "status", "message"].map(|key| text(condition, key));
        format!("{kind} {status} {}: {message}\n", text(condition, "reason"))
    };
    list.unwrap_or_default().iter().map(line).collect()
}

/// Pods may need what else is in the namespace until they have ended.
#[test]
fn it_goes_once_the_last_pod_has() {
    let mut world = world();
    assert_eq!(world.writes(&[&Namespace]), "");
    world.delete(NAMESPACES, "", "x", None);
    expect![[r#"
        delete Pod p
        status Namespace x
    "#]]
    .assert_eq(&world.writes(&[&Namespace]));
    world.delete(PODS, "x", "p", Some(0));
    expect![[r#"
        delete ConfigMap c
        finalize Namespace x
    "#]]
    .assert_eq(&world.writes(&[&Namespace]));
    assert_eq!(world.get(NAMESPACES, "", "x"), None);
}

#[test]
fn it_says_what_it_waits_for() {
    let mut world = world();
    world.poke("configmaps", "x", "c", |map| {
        map.set(&["metadata", "finalizers"], json!(["example.com/keep"]))
    });
    world.delete(NAMESPACES, "", "x", None);
    world.writes(&[&Namespace]);
    expect![[r#"
        NamespaceDeletionDiscoveryFailure False ResourcesDiscovered: All resources successfully discovered
        NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions: All legacy kube types successfully parsed
        NamespaceDeletionContentFailure False ContentDeleted: All content successfully deleted, may be waiting on finalization
        NamespaceContentRemaining True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances
        NamespaceFinalizersRemaining False ContentHasNoFinalizers: All content-preserving finalizers finished
    "#]]
    .assert_eq(&conditions(&world));
    world.delete(PODS, "x", "p", Some(0));
    world.writes(&[&Namespace]);
    expect![[r#"
        NamespaceDeletionDiscoveryFailure False ResourcesDiscovered: All resources successfully discovered
        NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions: All legacy kube types successfully parsed
        NamespaceDeletionContentFailure False ContentDeleted: All content successfully deleted, may be waiting on finalization
        NamespaceContentRemaining True SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances
        NamespaceFinalizersRemaining True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances
    "#]]
    .assert_eq(&conditions(&world));
    world.edit("configmaps", "x", "c", |map| drop(map.remove(&["metadata", "finalizers"])));
    assert_eq!(world.writes(&[&Namespace]), "finalize Namespace x\n");
}
