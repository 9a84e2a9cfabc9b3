//! Pods that their node ends before their containers do, and what containers say of their own end.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use xebec_runtime::MountSource;
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};

#[tokio::test(start_paused = true)]
async fn a_pod_over_its_deadline_fails() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let mut spec = one("nginx", "Always");
    spec["activeDeadlineSeconds"] = 60.into();
    world.bind("a", spec);
    world.until_running("a").await;
    world.pass(50).await;
    assert_eq!(world.status("a")["phase"], "Running");
    world.until("failed", |world| world.status("a")["phase"] == "Failed").await;
    world.until("ended", |world| world.container("a")["state"]["terminated"].is_object()).await;
    let message = "Pod was active on the node longer than the specified deadline";
    let status = world.status("a");
    assert_eq!((&status["reason"], &status["message"]), (&json!("DeadlineExceeded"), &json!(message)));
    world.until_event(&format!("1 Normal DeadlineExceeded {message}")).await;
    world.pass(100).await;
    assert_eq!(world.container("a")["restartCount"], 0, "nothing starts again");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fails_before_it_runs_waits_for_nothing_any_more() {
    let world = World::start().await;
    let mut spec = one("absent", "Always");
    spec["activeDeadlineSeconds"] = 60.into();
    world.bind("a", spec);
    world.until_state("a", "waiting", "ImagePullBackOff").await;
    world.until("failed", |world| world.status("a")["phase"] == "Failed").await;
    let message = "The container could not be located when the pod was terminated";
    let wanted = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": message,
        "startedAt": null, "finishedAt": null}});
    assert_eq!(world.container("a")["state"], wanted);
    assert_eq!(world.container("a")["restartCount"], 0);
    world.stop().await;
}

/// The agent that failed it knows why; one after it knows of its phase alone.
#[tokio::test(start_paused = true)]
async fn a_pod_that_fails_while_its_image_is_changed_says_how_its_container_ended() {
    for is_restarted in [false, true] {
        let mut world = World::start().await;
        world.runtime.add_image("deaf", Behaviour::IgnoreSignals);
        world.runtime.add_image("two", Behaviour::Run);
        let change = |world: &World, image: &str| {
            let containers = json!([{"name": "web", "image": image}]);
            world.change("a", |pod| pod.set(&["spec", "containers"], containers));
        };
        let mut spec = one("deaf", "Always");
        spec["activeDeadlineSeconds"] = 60.into();
        world.bind("a", spec);
        world.until_running("a").await;
        world.pass(50).await;
        change(&world, "two");
        world.until("failed", |world| world.status("a")["phase"] == "Failed").await;
        if is_restarted {
            world.restart().await;
            change(&world, "three");
        }
        world.until("ended", |world| world.container("a")["state"]["terminated"]["exitCode"] == 137).await;
        world.pass(60).await;
        let container = world.container("a");
        assert_eq!((&container["image"], &container["restartCount"]), (&json!("deaf"), &json!(0)));
        let changes = world.events().into_iter().filter(|event| event.contains("definition changed"));
        let wanted = "1 Normal Killing Container web definition changed, will be restarted";
        assert_eq!(changes.collect::<Vec<_>>(), [wanted], "restarted: {is_restarted}");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_volume_over_its_limit_evicts_its_pod() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let mut spec = one("nginx", "Always");
    spec["volumes"] = json!([{"name": "cache", "emptyDir": {"sizeLimit": "64Ki"}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]);
    let uid = world.bind("a", spec);
    world.until_running("a").await;
    let mounts = world.runtime.container_spec(&uid, "web.0").expect("it runs").mounts;
    let MountSource::Bind(cache) = &mounts[0].source else { panic!("a folder of the host") };
    world.pass(10).await;
    assert_eq!(world.status("a")["phase"], "Running");
    fs::write(cache.join("large"), vec![1; 100 << 10]).expect("written");
    world.until("failed", |world| world.status("a")["phase"] == "Failed").await;
    let message = "Usage of EmptyDir volume \"cache\" exceeds the limit \"64Ki\". ";
    let status = world.status("a");
    assert_eq!((&status["reason"], &status["message"]), (&json!("Evicted"), &json!(message)));
    world.until_event(&format!("1 Warning Evicted {message}")).await;
    world.until("ended", |world| world.container("a")["state"]["terminated"].is_object()).await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_critical_pod_stays_whatever_its_volumes_hold() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let mut spec = one("nginx", "Always");
    spec["priorityClassName"] = "system-cluster-critical".into();
    spec["volumes"] = json!([{"name": "cache", "emptyDir": {"sizeLimit": "64Ki"}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]);
    let uid = world.bind("a", spec);
    world.until_running("a").await;
    let mounts = world.runtime.container_spec(&uid, "web.0").expect("it runs").mounts;
    let MountSource::Bind(cache) = &mounts[0].source else { panic!("a folder of the host") };
    fs::write(cache.join("large"), vec![1; 100 << 10]).expect("written");
    world.pass(60).await;
    assert_eq!(world.status("a")["phase"], "Running");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_readiness_gate_is_opened_by_others() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let mut spec = one("nginx", "Always");
    spec["readinessGates"] = json!([{"conditionType": "example.com/gate"}]);
    world.bind("a", spec);
    world.until("ready containers", |world| world.condition("a", "ContainersReady") == "True").await;
    let ready = |world: &World| {
        let conditions = world.status("a")["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|condition| condition["type"] == "Ready").expect("it is said")
    };
    assert_eq!(
        (ready(&world)["reason"].clone(), ready(&world)["message"].clone()),
        (
            json!("ReadinessGatesNotReady"),
            json!("corresponding condition of pod readiness gate \"example.com/gate\" does not exist.")
        )
    );
    world.change("a", |pod| {
        let mut status = pod.get(&["status"]).cloned().expect("a status");
        let gate = json!({"type": "example.com/gate", "status": "True"});
        status["conditions"].as_array_mut().expect("conditions").push(gate);
        pod.set(&["status"], status);
    });
    world.until("ready", |world| ready(world)["status"] == "True").await;
    world.stop().await;
}

/// Ends a container after it has written these texts; what its status says of that.
async fn last_word(policy: &str, file: &str, log: &str, code: i32) -> Value {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let mut spec = one("nginx", "Never");
    spec["containers"][0]["terminationMessagePath"] = "/dev/termination-log".into();
    spec["containers"][0]["terminationMessagePolicy"] = policy.into();
    let uid = world.bind("a", spec);
    world.until_running("a").await;
    let spec = world.runtime.container_spec(&uid, "web.0").expect("it runs");
    let mount = spec.mounts.iter().find(|mount| mount.target == Path::new("/dev/termination-log"));
    let MountSource::Bind(source) = &mount.expect("it is mounted").source else {
        panic!("a file of the host")
    };
    fs::write(source, file).expect("written");
    let lines = log.lines().map(|line| format!("2026-01-01T00:00:01.0Z stdout F {line}\n"));
    fs::write(&spec.log_path, lines.collect::<String>()).expect("written");
    world.runtime.exit(&uid, "web.0", code, false);
    world.until("ended", |world| world.container("a")["state"]["terminated"].is_object()).await;
    let message = world.container("a")["state"]["terminated"]["message"].clone();
    world.stop().await;
    message
}

#[tokio::test(start_paused = true)]
async fn a_containers_last_word_is_told() {
    assert_eq!(last_word("File", "no disk", "log", 1).await, "no disk");
    assert_eq!(last_word("File", "", "log", 1).await, Value::Null);
    assert_eq!(last_word("FallbackToLogsOnError", "", "one\ntwo", 1).await, "one\ntwo\n");
    assert_eq!(last_word("FallbackToLogsOnError", "", "one\ntwo", 0).await, Value::Null);
    assert_eq!(last_word("File", &"x".repeat(5000), "", 0).await, "x".repeat(4096));
}

#[tokio::test(start_paused = true)]
async fn runs_before_the_last_one_are_taken_away() {
    let world = World::start().await;
    let crash = Behaviour::Exit { code: 1, after: std::time::Duration::from_secs(1) };
    world.runtime.add_image("crash", crash);
    let uid = world.bind("a", one("crash", "Always"));
    world.until("restarts", |world| world.container("a")["restartCount"] == 4).await;
    let kept: Vec<bool> =
        (0..5).map(|n| world.runtime.container_spec(&uid, &format!("web.{n}")).is_some()).collect();
    assert_eq!(kept, [false, false, false, true, true]);
    world.stop().await;
}
