//! Statuses reach the API, whatever is in between, and stay as the agent says them.

use serde_json::json;
use xebec_api::error::{ApiError, Reason};
use xebec_client::fake::Fault;
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};

#[tokio::test(start_paused = true)]
async fn what_others_did_to_a_status_is_written_back() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.bind("a", one("nginx", "Always"));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    // As the leader does it while a node is unreachable.
    world.change("a", |pod| {
        let mut status = pod.get(&["status"]).cloned().expect("a status");
        for condition in status["conditions"].as_array_mut().expect("conditions") {
            if condition["type"] == "Ready" {
                *condition = json!({"type": "Ready", "status": "False", "reason": "NodeNotReady"});
            }
        }
        status["message"] = "somebody's".into();
        pod.set(&["status"], status);
    });
    world.until("ready again", |world| world.condition("a", "Ready") == "True").await;
    let status = world.status("a");
    assert_eq!((&status["message"], &status["qosClass"]), (&json!("somebody's"), &json!("BestEffort")));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_status_is_written_after_conflicts_and_refusals() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.pass(1).await;
    world.fake.fail_next(Fault::Refuse(ApiError::new(Reason::Conflict, "another was quicker")));
    world.fake.fail_next(Fault::Refuse(ApiError::new(Reason::Forbidden, "not now")));
    world.bind("a", one("nginx", "Always"));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_twice() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.bind("a", one("nginx", "Always"));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    world.until_event("1 Normal Started Started container web").await;
    let _ = world.fake.take_calls();
    world.pass(300).await;
    let writes: Vec<String> = world
        .fake
        .take_calls()
        .into_iter()
        .filter(|call| call.starts_with("update") || call.starts_with("patch"))
        .collect();
    assert_eq!(writes, Vec::<String>::new());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn containers_are_restarted_while_no_master_answers() {
    let mut world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let uid = world.bind("a", one("nginx", "Always"));
    world.until_running("a").await;
    world.fake.stop().await;
    world.runtime.exit(&uid, "web.0", 1, false);
    world.until("a restart", |world| world.runtime.container_spec(&uid, "web.1").is_some()).await;
    world.stop().await;
}
