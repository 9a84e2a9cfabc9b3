//! A namespace is emptied before it goes.

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::resources::PODS;
use crate::world::World;

#[test]
fn it_goes_once_the_last_pod_has() {
    let mut world = World::new();
    world.put_node("n1");
    world.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"},
        "spec": {"finalizers": ["kubernetes"]}}));
    for (kind, name) in [("Pod", "p"), ("ConfigMap", "c")] {
        world.put(json!({"apiVersion": "v1", "kind": kind, "metadata": {"namespace": "x", "name": name},
            "spec": {"nodeName": "n1"}}));
    }
    assert_eq!(world.writes(&[&Namespace]), "");
    world.delete(NAMESPACES, "", "x", None);
    expect![[r#"
        delete ConfigMap c
        delete Pod p
    "#]]
    .assert_eq(&world.writes(&[&Namespace]));
    world.delete(PODS, "x", "p", Some(0));
    expect![[r#"
        finalize Namespace x
    "#]]
    .assert_eq(&world.writes(&[&Namespace]));
    assert_eq!(world.get(NAMESPACES, "", "x"), None);
}
