//! The node's own object, beside its pods.

use serde_json::json;
use xebec_api::error::{ApiError, Reason};
use xebec_client::fake::Fault;

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
    assert!(!calls.iter().any(|call| call.starts_with("patch nodes /n1")), "{calls:?}");
    world.stop().await;
    keeper.await.expect("it ends with the agent");
}

#[tokio::test(start_paused = true)]
async fn a_label_that_is_refused_holds_no_status_back() {
    let world = World::start().await;
    world.put(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {}}));
    world.pass(1).await;
    let _ = world.fake.take_calls();
    // One for the read, which it does not touch, and one for the labels.
    let refused = ApiError::new(Reason::Forbidden, "node \"n1\" is not allowed to modify its labels");
    world.fake.fail_next(Fault::DoThenFail(refused.clone()));
    world.fake.fail_next(Fault::Refuse(refused));
    let keeper = tokio::spawn(node_object::keep(world.agent.clone()));
    let node = |world: &World| world.fake.store.get("nodes", "", "n1").expect("a node");
    world.until("the status", |world| node(world).get(&["status", "capacity"]).is_some()).await;
    let calls = world.fake.take_calls().into_iter().filter(|call| call.ends_with(" /n1"));
    let wanted = ["get nodes /n1", "patch nodes /n1", "patch nodes/status /n1"];
    assert_eq!(calls.collect::<Vec<_>>(), wanted);
    world.until("the labels", |world| node(world).labels().any(|label| label == ("tier", "front"))).await;
    world.stop().await;
    keeper.await.expect("it ends with the agent");
}
