//! Pods of nodes that are gone.

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::world::World;

fn world() -> World {
    let mut world = World::new();
    world.put_node("n1");
    for (name, node) in [("lost", "nowhere"), ("here", "n1"), ("waiting", "")] {
        let metadata = json!({"namespace": "default", "name": name});
        let spec = json!({"nodeName": node, "containers": []});
        world.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
    }
    world
}

#[test]
fn pods_of_a_deleted_node_go_at_once() {
    expect![[r#"
        delete Pod lost within 0
          Normal Pod/lost: DeletingPod
    "#]]
    .assert_eq(&world().writes(&[&PodGc]));
}

#[test]
fn a_node_out_of_service_lets_its_leaving_pods_go() {
    let mut world = world();
    world.writes(&[&PodGc]);
    world.delete(PODS, "default", "here", None);
    world.edit(NODES, "", "n1", |node| {
        node.set(&["spec", "taints"], json!([{"key": OUT_OF_SERVICE, "effect": "NoExecute"}]));
    });
    assert_eq!(world.writes(&[&PodGc]), "");
    world.poke(NODES, "", "n1", |node| node.set(&["status", "conditions"], json!([])));
    expect![[r#"
        delete Pod here within 0
          Normal Pod/here: DeletingPod
    "#]]
    .assert_eq(&world.writes(&[&PodGc]));
}
