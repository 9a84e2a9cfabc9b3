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

#[test]
fn of_very_many_pods_that_have_ended_the_oldest_go() {
    let mut world = World::new();
    world.put_node("n1");
    let put = |world: &mut World, name: String| {
        world.put(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": name},
            "spec": {"nodeName": "n1"}}),
        );
        world.poke(PODS, "default", &name, |pod| pod.set(&["status", "phase"], "Succeeded"));
    };
    (0..SLACK + 1).for_each(|number| put(&mut world, format!("old-{number}")));
    world.advance(1);
    (0..MOST_ENDED - 1).for_each(|number| put(&mut world, format!("new-{number}")));
    assert_eq!(PodGc.initial(&world), [], "there may be some more");
    put(&mut world, "last".to_owned());
    let last = world.get(PODS, "default", "last").expect("it exists");
    let keys = PodGc.keys(&world, PODS, &last);
    assert_eq!((keys.len(), PodGc.initial(&world)), (1, keys.clone()));
    let plan = world.reconcile(&PodGc, &keys[0]);
    assert_eq!(plan.actions.len(), SLACK + 1);
    assert!(world.list(PODS, None).iter().all(|pod| !pod.name().starts_with("old-")));
}
