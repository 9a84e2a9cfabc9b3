//! Init containers that keep running beside the others: they start first and end last.

use std::time::Duration;

use serde_json::{Value, json};
use xebec_runtime::fake::Behaviour;

use super::world::World;

fn spec(policy: &str, main: &str) -> Value {
    let sidecar = |name: &str| json!({"name": name, "image": "run", "restartPolicy": "Always"});
    json!({
        "restartPolicy": policy, "terminationGracePeriodSeconds": 30,
        "initContainers": [sidecar("log"), {"name": "once", "image": "once"}, sidecar("mesh")],
        "containers": [{"name": "web", "image": main}],
    })
}

async fn world() -> World {
    let world = World::start().await;
    world.runtime.add_image("run", Behaviour::Run);
    world.runtime.add_image("once", Behaviour::Exit { code: 0, after: Duration::from_secs(1) });
    world
}

fn calls(world: &World, verb: &str) -> Vec<String> {
    let calls = world.runtime.take_calls().into_iter().filter(|call| call.starts_with(verb));
    calls.map(|call| call.split(' ').nth(2).expect("a run").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn they_start_in_their_turn_and_count_for_readiness() {
    let world = world().await;
    let mut spec = spec("Always", "run");
    let probe = json!({"exec": {"command": ["check"]}, "periodSeconds": 1});
    spec["initContainers"][2]["readinessProbe"] = probe;
    world.runtime.on_exec("check", 1, "");
    let uid = world.bind("a", spec);
    world.until_running("a").await;
    assert_eq!(calls(&world, "start_container"), ["log.0", "once.0", "mesh.0", "web.0"]);
    let init = world.status("a")["initContainerStatuses"].clone();
    assert_eq!(
        (&init[0]["started"], &init[1]["state"]["terminated"]["reason"], &init[2]["ready"]),
        (&json!(true), &json!("Completed"), &json!(false))
    );
    assert_eq!(
        (world.condition("a", "Initialized"), world.condition("a", "Ready")),
        (json!("True"), json!("False"))
    );
    world.runtime.on_exec("check", 0, "");
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    world.runtime.exit(&uid, "log.0", 1, false);
    world
        .until("a restart", |world| world.status("a")["initContainerStatuses"][0]["restartCount"] == 1)
        .await;
    assert_eq!(world.container("a")["restartCount"], 0, "the others run on");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_holds_the_others_until_it_is_up() {
    let world = world().await;
    world.runtime.on_exec("up", 1, "");
    let mut spec = spec("Always", "run");
    let probe = json!({"exec": {"command": ["up"]}, "periodSeconds": 1, "failureThreshold": 100});
    spec["initContainers"][0]["startupProbe"] = probe;
    world.bind("a", spec);
    world.pass(10).await;
    assert_eq!(calls(&world, "start_container"), ["log.0"]);
    let status = world.status("a");
    assert_eq!(
        (&status["phase"], &status["initContainerStatuses"][0]["started"]),
        (&json!("Pending"), &json!(false))
    );
    world.runtime.on_exec("up", 0, "");
    world.until_running("a").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn they_end_after_the_others_the_last_first() {
    let world = world().await;
    world.bind("a", spec("Always", "run"));
    world.until_running("a").await;
    world.runtime.take_calls();
    world.change("a", |pod| {
        pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
        pod.set(&["metadata", "deletionGracePeriodSeconds"], 30);
    });
    world.until("gone", |world| world.pod("a").is_none()).await;
    assert_eq!(calls(&world, "signal_container"), ["web.0", "mesh.0", "log.0"]);
    world.stop().await;
}

/// The main container takes all of the grace.
#[tokio::test(start_paused = true)]
async fn they_are_asked_also_where_their_turn_never_comes() {
    let world = world().await;
    world.runtime.add_image("deaf", Behaviour::IgnoreSignals);
    world.bind("a", spec("Always", "deaf"));
    world.until_running("a").await;
    world.runtime.take_calls();
    world.change("a", |pod| {
        pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
        pod.set(&["metadata", "deletionGracePeriodSeconds"], 30);
    });
    world.until("gone", |world| world.pod("a").is_none()).await;
    let calls = world.runtime.take_calls().into_iter().filter(|call| call.starts_with("signal_container"));
    let mut signals: Vec<String> =
        calls.map(|call| call.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(signals.remove(0), "web.0 15");
    signals.sort();
    assert_eq!(signals, ["log.0 15", "mesh.0 15", "web.0 9"]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_over_with_its_main_containers() {
    let world = world().await;
    world.bind("a", spec("Never", "once"));
    world.until("over", |world| world.status("a")["phase"] == "Succeeded").await;
    assert_eq!(calls(&world, "signal_container"), ["mesh.0", "log.0"]);
    let init = world.status("a")["initContainerStatuses"].clone();
    assert!(
        init[0]["state"]["terminated"].is_object() && init[2]["state"]["terminated"].is_object(),
        "{init}"
    );
    world.stop().await;
}
