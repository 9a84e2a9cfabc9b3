//! Hooks at the start and at the end of containers.

use serde_json::{Value, json};
use xebec_runtime::fake::Behaviour;

use super::world::World;

fn hooked(lifecycle: Value) -> Value {
    let container = json!({"name": "web", "image": "nginx", "lifecycle": lifecycle});
    json!({"terminationGracePeriodSeconds": 30, "containers": [container]})
}

async fn begin(lifecycle: Value) -> World {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.on_exec("broken", 2, "no");
    world.bind("a", hooked(lifecycle));
    world
}

async fn run(lifecycle: Value) -> World {
    let world = begin(lifecycle).await;
    world.until_running("a").await;
    world
}

fn delete(world: &World) {
    world.runtime.take_calls();
    world.change("a", |pod| {
        pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
        pod.set(&["metadata", "deletionGracePeriodSeconds"], 30);
    });
}

#[tokio::test(start_paused = true)]
async fn a_container_is_asked_to_end_after_its_hook() {
    let world = run(json!({"preStop": {"exec": {"command": ["drain"]}}})).await;
    delete(&world);
    world.until("gone", |world| world.pod("a").is_none()).await;
    let wanted = ["exec uid-1 web.0: drain", "signal_container uid-1 web.0 15", "remove_sandbox uid-1"];
    assert_eq!(world.runtime.take_calls(), wanted);
    world.stop().await;
}

/// A pod that a Service leads to is asked to end only after the proxies can know.
#[tokio::test(start_paused = true)]
async fn a_pod_leaves_its_services_before_it_is_asked_to_end() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let metadata = json!({"namespace": "default", "name": "web"});
    let spec = json!({"selector": {"app": "web"}});
    world.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}));
    let uid = world.bind("a", hooked(json!({})));
    world.change("a", |pod| pod.set(&["metadata", "labels"], json!({"app": "web"})));
    world.until("the Service", |world| !world.agent.services.list().is_empty()).await;
    world.until_running("a").await;
    delete(&world);
    let deleted = tokio::time::Instant::now();
    world.until("its end", |world| world.pod("a").is_none()).await;
    assert!(deleted.elapsed() >= std::time::Duration::from_millis(500));
    let wanted = [format!("signal_container {uid} web.0 15"), format!("remove_sandbox {uid}")];
    assert_eq!(world.runtime.take_calls(), wanted);
    world.stop().await;
}

/// What runs still when that is over is asked nevertheless, and has two seconds more.
#[tokio::test(start_paused = true)]
async fn a_hook_has_the_grace_at_most() {
    let sent = |signal: i32| format!("signal_container uid-1 web.0 {signal}");
    let removed = "remove_sandbox uid-1".to_owned();
    for (behaviour, wanted) in [
        (Behaviour::Run, vec![sent(15), removed.clone()]),
        (Behaviour::IgnoreSignals, vec![sent(15), sent(9), removed]),
    ] {
        let world = World::start().await;
        world.runtime.add_image("nginx", behaviour);
        world.bind("a", hooked(json!({"preStop": {"sleep": {"seconds": 300}}})));
        world.until_running("a").await;
        delete(&world);
        let deleted = tokio::time::Instant::now();
        world.pass(25).await;
        assert_eq!(world.runtime.take_calls(), Vec::<String>::new());
        world.until("gone", |world| world.pod("a").is_none()).await;
        let least = if wanted.len() == 3 { 32 } else { 30 };
        assert!(deleted.elapsed().as_secs() >= least, "{:?}", deleted.elapsed());
        assert_eq!(world.runtime.take_calls(), wanted);
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_is_told_and_ends_a_start() {
    let world = begin(json!({"postStart": {"exec": {"command": ["broken"]}}})).await;
    let failed = "Warning FailedPostStartHook PostStartHook failed: command \"broken\" exited with 2";
    world.until(failed, |world| world.events().iter().any(|event| event.ends_with(failed))).await;
    world.until("a restart", |world| world.container("a")["restartCount"].as_u64() >= Some(1)).await;
    assert_eq!(world.condition("a", "Ready"), "False", "it never counts as running");
    world.stop().await;
    let world = run(json!({"preStop": {"exec": {"command": ["broken"]}}})).await;
    delete(&world);
    world
        .until_event("1 Warning FailedPreStopHook PreStopHook failed: command \"broken\" exited with 2")
        .await;
    world.until("gone", |world| world.pod("a").is_none()).await;
    world.stop().await;
}

/// As a mesh does it whose proxy is to be there before what it serves.
#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_a_container_and_none_follows_before_its_hook_is_over() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let hook = json!({"postStart": {"sleep": {"seconds": 20}}});
    let containers =
        json!([{"name": "proxy", "image": "nginx", "lifecycle": hook}, {"name": "web", "image": "nginx"}]);
    let uid = world.bind("a", json!({"containers": containers}));
    world.pass(15).await;
    let starts = |world: &World| {
        let calls = world.runtime.take_calls().into_iter();
        calls.filter(|call| call.starts_with("start_container")).collect::<Vec<_>>()
    };
    assert_eq!(starts(&world), [format!("start_container {uid} proxy.0 nginx")]);
    let status = world.status("a");
    let first = &status["containerStatuses"][0];
    let told = (&status["phase"], &first["state"], &first["started"], &first["ready"]);
    let creating = json!({"waiting": {"reason": "ContainerCreating"}});
    assert_eq!(told, (&json!("Pending"), &creating, &json!(false), &json!(false)));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    assert_eq!(starts(&world), [format!("start_container {uid} web.0 nginx")]);
    assert_eq!(world.status("a")["phase"], "Running");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_restarted_meanwhile_takes_the_container_for_started() {
    let mut world = begin(json!({"postStart": {"sleep": {"seconds": 1000}}})).await;
    world.pass(10).await;
    assert_eq!(world.condition("a", "Ready"), "False");
    world.restart().await;
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    assert_eq!(world.container("a")["restartCount"], 0);
    world.stop().await;
}
