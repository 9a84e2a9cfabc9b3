//! What probes do to a pod.

use serde_json::{Value, json};
use xebec_runtime::fake::Behaviour;

use super::world::World;

fn probed(probes: Value) -> Value {
    let mut container = json!({"name": "web", "image": "nginx"});
    for (key, value) in probes.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    json!({"containers": [container], "terminationGracePeriodSeconds": 30})
}

#[tokio::test(start_paused = true)]
async fn readiness_flips_ready_there_and_back() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.on_exec("check", 1, "not yet");
    world.bind("a", probed(json!({"readinessProbe": {"exec": {"command": ["check"]}, "periodSeconds": 1}})));
    world.until_running("a").await;
    assert_eq!(
        (world.condition("a", "Ready"), world.container("a")["ready"].clone()),
        (json!("False"), json!(false))
    );
    for (code, ready) in [(0, "True"), (1, "False"), (0, "True")] {
        world.runtime.on_exec("check", code, "not now");
        world.until("a flip", |world| world.condition("a", "Ready") == ready).await;
    }
    assert_eq!(world.container("a")["restartCount"], 0, "readiness restarts nothing");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn liveness_restarts_after_its_own_grace() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::IgnoreSignals);
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 2,
        "terminationGracePeriodSeconds": 5});
    world.bind("a", probed(json!({"livenessProbe": probe})));
    world.until_running("a").await;
    world.runtime.take_calls();
    world.runtime.on_exec("alive", 1, "dead");
    world
        .until("asked", |world| {
            world.runtime.take_calls().contains(&"signal_container uid-1 web.0 15".into())
        })
        .await;
    world.pass(4).await;
    assert_eq!(world.container("a")["restartCount"], 0, "it has five seconds");
    world.runtime.on_exec("alive", 0, "");
    world.until("a restart", |world| world.container("a")["restartCount"] == 1).await;
    let container = world.container("a");
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 137);
    assert!(container["state"]["running"].is_object());
    let killing = "1 Normal Killing Container web failed liveness probe, will be restarted";
    world.until_event(killing).await;
    let unhealthy = "2 Warning Unhealthy Liveness probe failed: dead";
    world.until_event(unhealthy).await;
    world.stop().await;
}

/// What a run was sent, and its hooks, in their order.
fn ends(world: &World) -> Vec<String> {
    let calls = world.runtime.take_calls().into_iter();
    calls.filter(|call| call.starts_with("signal_container") || call.ends_with("drain")).collect()
}

/// Its condemnation says nothing of its pod, which has a grace of its own.
#[tokio::test(start_paused = true)]
async fn a_condemned_run_is_asked_once_and_forced_when_its_pod_is_deleted() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::IgnoreSignals);
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1});
    let hook = json!({"preStop": {"exec": {"command": ["drain"]}}});
    world.bind("a", probed(json!({"livenessProbe": probe, "lifecycle": hook})));
    world.until_running("a").await;
    world.runtime.on_exec("alive", 1, "dead");
    world.until_event("1 Normal Killing Container web failed liveness probe, will be restarted").await;
    world.pass(1).await;
    world.change("a", |pod| {
        pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
        pod.set(&["metadata", "deletionGracePeriodSeconds"], 30);
    });
    world.pass(25).await;
    assert!(world.pod("a").is_some(), "it has thirty seconds");
    world.until("gone", |world| world.pod("a").is_none()).await;
    let wanted =
        ["exec uid-1 web.0: drain", "signal_container uid-1 web.0 15", "signal_container uid-1 web.0 9"];
    assert_eq!(ends(&world), wanted);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_not_condemned_once_its_pod_ends() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::IgnoreSignals);
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1});
    world.bind("a", probed(json!({"livenessProbe": probe})));
    world.until_running("a").await;
    world.change("a", |pod| {
        pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
        pod.set(&["metadata", "deletionGracePeriodSeconds"], 30);
    });
    world.until_event("1 Normal Killing Stopping container web").await;
    // As it does where it closes its port first.
    world.runtime.on_exec("alive", 1, "dead");
    world.until("gone", |world| world.pod("a").is_none()).await;
    let events = world.events();
    assert!(!events.iter().any(|event| event.contains("failed liveness probe")), "{events:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_condemned_run_that_nothing_follows_is_not_said_to_be_restarted() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.on_exec("alive", 1, "dead");
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1});
    let mut spec = probed(json!({"livenessProbe": probe}));
    spec["restartPolicy"] = "Never".into();
    world.bind("a", spec);
    world.until("failed", |world| world.status("a")["phase"] == "Failed").await;
    world.until_event("1 Normal Killing Container web failed liveness probe").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_replaced_is_not_condemned_again() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::IgnoreSignals);
    world.runtime.add_image("two", Behaviour::Run);
    let probe = json!({"exec": {"command": ["alive"]}, "periodSeconds": 1, "failureThreshold": 1});
    world.bind("a", probed(json!({"livenessProbe": probe})));
    world.until_running("a").await;
    world.change("a", |pod| {
        let mut containers = pod.get(&["spec", "containers"]).cloned().expect("containers");
        containers[0]["image"] = "two".into();
        pod.set(&["spec", "containers"], containers);
    });
    world.until_event("1 Normal Killing Container web definition changed, will be restarted").await;
    world.runtime.on_exec("alive", 1, "dead");
    world.until_event("1 Warning Unhealthy Liveness probe failed: dead").await;
    world.runtime.on_exec("alive", 0, "");
    world.until("the new one", |world| world.container("a")["image"] == "two").await;
    assert_eq!(ends(&world), ["signal_container uid-1 web.0 15", "signal_container uid-1 web.0 9"]);
    let events = world.events();
    assert!(!events.iter().any(|event| event.contains("failed liveness probe")), "{events:?}");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn startup_holds_the_others_back() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.on_exec("started", 1, "");
    world.runtime.on_exec("alive", 1, "");
    let every_second = |command: &str| json!({"exec": {"command": [command]}, "periodSeconds": 1});
    let mut startup = every_second("started");
    startup["failureThreshold"] = 30.into();
    world.bind("a", probed(json!({"startupProbe": startup, "livenessProbe": every_second("alive")})));
    world.until_running("a").await;
    world.pass(10).await;
    assert_eq!(
        (world.container("a")["restartCount"].clone(), world.condition("a", "Ready")),
        (json!(0), json!("False"))
    );
    world.runtime.on_exec("started", 0, "");
    world.runtime.on_exec("alive", 0, "");
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_restarted_goes_on_with_what_was_told() {
    let mut world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let check =
        |command: &str| json!({"exec": {"command": [command]}, "periodSeconds": 1, "failureThreshold": 5});
    world.bind("a", probed(json!({"startupProbe": check("up"), "readinessProbe": check("check")})));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    let since = |world: &World| {
        let conditions = world.status("a")["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|c| c["type"] == "Ready").expect("a condition")["lastTransitionTime"]
            .clone()
    };
    let before = since(&world);
    // A startup probe that is not repeated, and a readiness probe that may fail four times.
    world.runtime.on_exec("up", 1, "not any more");
    world.runtime.on_exec("check", 1, "not now");
    world.runtime.take_calls();
    world.restart().await;
    world.pass(3).await;
    assert_eq!((world.condition("a", "Ready"), since(&world)), (json!("True"), before));
    let calls = world.runtime.take_calls();
    assert!(calls.iter().any(|call| call.ends_with("check")), "{calls:?}");
    assert!(!calls.iter().any(|call| call.ends_with("up")), "{calls:?}");
    world.until("not ready", |world| world.condition("a", "Ready") == "False").await;
    world.restart().await;
    world.pass(3).await;
    assert_eq!(world.condition("a", "Ready"), "False", "it was told so");
    assert_eq!(world.container("a")["started"], true);
    world.runtime.on_exec("check", 0, "");
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    world.stop().await;
}

/// An agent that was killed after it had told that a container has started, and before it
/// told that this makes it ready.
#[tokio::test(start_paused = true)]
async fn what_has_started_is_ready_where_no_probe_says_otherwise() {
    let mut world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.bind("a", probed(json!({"startupProbe": {"exec": {"command": ["up"]}, "periodSeconds": 1}})));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    let half_told = |world: &World| {
        world.change("a", |pod| {
            let mut statuses = pod.get(&["status", "containerStatuses"]).cloned().expect("statuses");
            statuses[0]["ready"] = false.into();
            pod.set(&["status", "containerStatuses"], statuses);
        });
    };
    world.restart_after(half_told).await;
    world.until("ready again", |world| world.container("a")["ready"] == true).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_command_is_run_once_a_period_also_while_its_successes_are_counted() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.on_exec("check", 1, "not yet");
    let probe = json!({"exec": {"command": ["check"]}, "periodSeconds": 10, "successThreshold": 3});
    world.bind("a", probed(json!({"readinessProbe": probe})));
    world.until_running("a").await;
    world.runtime.take_calls();
    let tries =
        |world: &World| world.runtime.take_calls().iter().filter(|call| call.ends_with("check")).count();
    world.pass(30).await;
    let failed = tries(&world);
    assert!((3..=4).contains(&failed), "{failed}");
    world.runtime.on_exec("check", 0, "");
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    assert_eq!(tries(&world), 3);
    world.stop().await;
}
