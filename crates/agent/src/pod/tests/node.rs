//! The node's own object, beside its pods.

use serde_json::json;

use super::world::World;
use crate::node_object;

#[tokio::test(start_paused = true)]
async fn labels_follow_the_configuration_and_others_stay() {
    let world = World::start().await;
    let labels = json!({"tier": "back", "kubernetes.io/os": "linux", "zone": "somebody's"});
    world.put(
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": labels}, "spec": {}}),
    );
    let keeper = tokio::spawn(node_object::keep(world.agent.clone()));
    let found = |world: &World| {
        let node = world.fake.store.get("nodes", "", "n1").expect("a node");
        node.get(&["metadata", "labels"]).cloned().expect("labels")
    };
    let wanted = json!({"tier": "front", "zone": "somebody's", "kubernetes.io/hostname": "n1",
        "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"});
    world.until("the labels", |world| found(world) == wanted).await;
    let _ = world.fake.take_calls();
    world.pass(60).await;
    let calls = world.fake.take_calls();
    assert!(!calls.iter().any(|call| call.starts_with("patch nodes/n1")), "{calls:?}");
    world.stop().await;
    keeper.await.expect("it ends with the agent");
}
