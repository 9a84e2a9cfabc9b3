//! Containers that end, by themselves or because they are told to.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use xebec_runtime::Runtime;
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};

fn exits(code: i32, seconds: u64) -> Behaviour {
    Behaviour::Exit { code, after: Duration::from_secs(seconds) }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_fails_is_restarted_with_growing_pauses() {
    let world = World::start().await;
    world.runtime.add_image("crash", exits(3, 1));
    world.bind("a", one("crash", "Always"));
    let mut seen = Vec::new();
    for restarts in 1..5 {
        let is_so = |world: &World| {
            world.container("a")["restartCount"] == restarts
                && world.container("a")["state"]["waiting"].is_object()
        };
        world.until("a restart", is_so).await;
        seen.push(world.container("a")["state"]["waiting"]["message"].clone());
    }
    let back_off =
        |pause| json!(format!("back-off {pause} restarting failed container=web pod=a_default(uid-1)"));
    assert_eq!(seen, ["10s", "20s", "40s", "1m20s"].map(back_off));
    expect![[r#"
        {
          "containerID": "xebec://uid-1/web.4",
          "image": "crash",
          "imageID": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
          "lastState": {
            "terminated": {
              "containerID": "xebec://uid-1/web.4",
              "exitCode": 3,
              "finishedAt": "2026-01-01T00:01:15Z",
              "reason": "Error",
              "startedAt": "2026-01-01T00:01:14Z"
            }
          },
          "name": "web",
          "ready": false,
          "restartCount": 4,
          "started": false,
          "state": {
            "waiting": {
              "message": "back-off 1m20s restarting failed container=web pod=a_default(uid-1)",
              "reason": "CrashLoopBackOff"
            }
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&world.container("a")).expect("json"));
    assert_eq!(
        (world.status("a")["phase"].clone(), world.condition("a", "Ready")),
        (json!("Running"), json!("False"))
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn containers_end_by_their_pods_policy() {
    let world = World::start().await;
    for (image, code) in [("good", 0), ("bad", 1)] {
        world.runtime.add_image(image, exits(code, 1));
    }
    let cases =
        [("Never", "good", "Succeeded"), ("Never", "bad", "Failed"), ("OnFailure", "good", "Succeeded")];
    for (number, (policy, image, _)) in cases.iter().enumerate() {
        world.bind(&format!("p{number}"), one(image, policy));
    }
    world.pass(100).await;
    for (number, (policy, image, phase)) in cases.iter().enumerate() {
        let name = format!("p{number}");
        let container = world.container(&name);
        let reason = if *image == "good" { "Completed" } else { "Error" };
        assert_eq!(world.status(&name)["phase"], *phase, "{policy} {image}");
        assert_eq!(container["state"]["terminated"]["reason"], reason, "{policy} {image}");
        assert_eq!(container["restartCount"], 0, "{policy} {image}");
    }
    world.bind("again", one("bad", "OnFailure"));
    world.until_state("again", "waiting", "CrashLoopBackOff").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn memory_without_end_is_named() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let uid = world.bind("a", one("nginx", "Never"));
    world.until_running("a").await;
    world.runtime.exit(&uid, "web.0", 137, true);
    world.until_state("a", "terminated", "OOMKilled").await;
    assert_eq!(world.container("a")["state"]["terminated"]["exitCode"], 137);
    let again = world.bind("b", one("nginx", "Always"));
    world.until_running("b").await;
    world.runtime.exit(&again, "web.0", 137, true);
    world.until("a restart", |world| world.container("b")["restartCount"] == 1).await;
    assert_eq!(world.container("b")["lastState"]["terminated"]["reason"], "OOMKilled");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_asked_then_forced_and_then_gone() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.add_image("deaf", Behaviour::IgnoreSignals);
    let (polite, deaf) =
        (world.bind("nginx", one("nginx", "Always")), world.bind("deaf", one("deaf", "Always")));
    world.until_running("nginx").await;
    world.until_running("deaf").await;
    world.runtime.take_calls();
    for name in ["nginx", "deaf"] {
        world.change(name, |pod| {
            pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
            pod.set(&["metadata", "deletionGracePeriodSeconds"], 30);
        });
    }
    world.until("the polite one", |world| world.pod("nginx").is_none()).await;
    world.pass(20).await;
    assert!(world.pod("deaf").is_some(), "it has thirty seconds");
    world.until("the deaf one", |world| world.pod("deaf").is_none()).await;
    let calls = world.runtime.take_calls();
    let of = |uid: &str| calls.iter().filter(|call| call.contains(uid)).cloned().collect::<Vec<_>>();
    let signal = |uid: &str, signal: i32| format!("signal_container {uid} web.0 {signal}");
    let removal = |uid: &str| format!("remove_sandbox {uid}");
    assert_eq!(of(&polite), [signal(&polite, 15), removal(&polite)]);
    assert_eq!(of(&deaf), [signal(&deaf, 15), signal(&deaf, 9), removal(&deaf)]);
    assert!(!world.agent.config.data_dir.join("logs").join(&polite).exists());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_by_force_is_killed_at_once() {
    let world = World::start().await;
    world.runtime.add_image("deaf", Behaviour::IgnoreSignals);
    let uid = world.bind("a", one("deaf", "Always"));
    world.until_running("a").await;
    world.runtime.take_calls();
    let gone = world.fake.store.remove("pods", "default", "a");
    assert!(gone.is_some());
    world.until("its end", |world| world.runtime.sandbox_spec(&uid).is_none()).await;
    assert_eq!(world.runtime.take_calls(), ["signal_container uid-1 web.0 9", "remove_sandbox uid-1"]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_image_replaces_the_run_whatever_the_policy() {
    for policy in ["Always", "Never"] {
        let world = World::start().await;
        world.runtime.add_image("one", Behaviour::Run);
        world.bind("a", one("one", policy));
        world.until_running("a").await;
        world.runtime.take_calls();
        let change = |image: &'static str| {
            world.change("a", |pod| {
                let mut containers = pod.get(&["spec", "containers"]).cloned().expect("containers");
                containers[0]["image"] = image.into();
                pod.set(&["spec", "containers"], containers);
            });
        };
        change("two");
        world.until_event("1 Normal Killing Container web definition changed, will be restarted").await;
        world.until_state("a", "waiting", "ErrImagePull").await;
        assert_eq!(world.container("a")["image"], "two", "it is what is waited for");
        world.runtime.add_image("two", Behaviour::Run);
        world.until_running("a").await;
        let container = world.container("a");
        assert_eq!((&container["image"], &container["restartCount"]), (&json!("two"), &json!(1)), "{policy}");
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 143);
        assert_eq!(world.status("a")["phase"], "Running");
        let calls = world.runtime.take_calls();
        assert_eq!(calls.first().map(String::as_str), Some("signal_container uid-1 web.0 15"));
        assert_eq!(calls.last().map(String::as_str), Some("start_container uid-1 web.1 two"));
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_image_that_runs_is_told_until_it_has_ended() {
    let world = World::start().await;
    world.runtime.add_image("deaf", Behaviour::IgnoreSignals);
    world.runtime.add_image("two", Behaviour::Run);
    world.bind("a", one("deaf", "Always"));
    world.until_running("a").await;
    world.change("a", |pod| pod.set(&["spec", "containers"], json!([{"name": "web", "image": "two"}])));
    world.pass(20).await;
    assert_eq!(world.container("a")["image"], "deaf", "it has thirty seconds");
    world.until("the new one", |world| world.container("a")["image"] == "two").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_finished_pod_holds_nothing_and_keeps_its_record_and_its_logs() {
    let mut world = World::start().await;
    world.runtime.add_image("good", exits(0, 20));
    let mut spec = one("good", "Never");
    spec["volumes"] = json!([{"name": "cache", "emptyDir": {}}]);
    spec["containers"][0]["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]);
    let uid = world.bind("a", spec);
    world.until_running("a").await;
    let data_dir = world.agent.config.data_dir.clone();
    let of = |kind: &str| data_dir.join(kind).join(&uid);
    std::fs::create_dir_all(of("logs")).expect("a folder");
    assert!(of("volumes").join("cache").exists());
    world.until("its end", |_| !of("volumes").exists()).await;
    assert!(of("logs").exists());
    let sandbox = world.runtime.list().await.expect("lists").remove(0);
    assert_eq!((sandbox.alive, sandbox.stopped, sandbox.containers.len()), (false, true, 1));
    let before = world.status("a");
    assert_eq!(before["phase"], "Succeeded");
    assert_eq!(before["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
    world.pass(100).await;
    assert_eq!(world.status("a"), before);
    let calls = world.runtime.take_calls();
    assert_eq!(calls.last(), Some(&format!("stop_sandbox {uid}")), "{calls:?}");
    // What an agent that was killed in the middle has left.
    std::fs::create_dir_all(of("volumes").join("cache")).expect("a folder");
    world.restart().await;
    world.until("its end", |_| !of("volumes").exists()).await;
    world.change("a", |pod| pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z"));
    world.until("gone", |world| world.pod("a").is_none()).await;
    assert_eq!(world.runtime.take_calls(), [format!("remove_sandbox {uid}")]);
    assert!(!of("logs").exists());
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_sandbox_is_made_anew_and_a_finished_pod_is_left_alone() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.add_image("good", exits(0, 1));
    let (web, done) = (world.bind("web", one("nginx", "Always")), world.bind("done", one("good", "Never")));
    world.until_running("web").await;
    world.until("done", |world| world.status("done")["phase"] == "Succeeded").await;
    world.pass(1).await;
    let before = world.status("done");
    world.runtime.take_calls();
    world.runtime.lose_sandbox(&web);
    world.runtime.lose_sandbox(&done);
    world.pass(60).await;
    assert_eq!(
        world.runtime.take_calls(),
        ["remove_sandbox uid-1", "run_sandbox default/web uid-1", "start_container uid-1 web.1 nginx"]
    );
    let container = world.container("web");
    assert_eq!(container["restartCount"], 1, "what was lost counts as a run");
    assert_eq!(container["lastState"]["terminated"]["reason"], "ContainerStatusUnknown");
    assert_eq!(world.status("done"), before);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_never_restarts_does_not_run_twice_when_its_sandbox_is_lost() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let uid = world.bind("a", one("nginx", "Never"));
    world.until_running("a").await;
    world.runtime.take_calls();
    world.runtime.lose_sandbox(&uid);
    world.until("failed", |world| world.status("a")["phase"] == "Failed").await;
    let container = world.container("a");
    assert_eq!(container["state"]["terminated"]["reason"], "ContainerStatusUnknown");
    assert_eq!(
        (&container["state"]["terminated"]["exitCode"], &container["restartCount"]),
        (&json!(137), &json!(0))
    );
    world.pass(60).await;
    assert_eq!(world.runtime.take_calls(), [format!("stop_sandbox {uid}")]);
    assert_eq!(world.container("a"), container);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_is_not_run_again_when_its_sandbox_is_lost() {
    let world = World::start().await;
    world.runtime.add_image("once", exits(0, 1));
    world.runtime.add_image("nginx", Behaviour::Run);
    let containers = json!([{"name": "once", "image": "once"}, {"name": "web", "image": "nginx"}]);
    let uid = world.bind("a", json!({"restartPolicy": "OnFailure", "containers": containers}));
    let of = |world: &World, index: usize| world.status("a")["containerStatuses"][index].clone();
    world.until("the end of one", |world| of(world, 0)["state"]["terminated"]["reason"] == "Completed").await;
    world.runtime.take_calls();
    world.runtime.lose_sandbox(&uid);
    world
        .until("a restart", |world| {
            of(world, 1)["state"]["running"].is_object() && of(world, 1)["restartCount"] == 1
        })
        .await;
    let wanted = [
        format!("remove_sandbox {uid}"),
        format!("run_sandbox default/a {uid}"),
        format!("start_container {uid} web.1 nginx"),
    ];
    assert_eq!(world.runtime.take_calls(), wanted);
    let once = of(&world, 0);
    let told = (&once["state"]["terminated"]["reason"], &once["restartCount"], &once["containerID"]);
    assert_eq!(told, (&json!("Completed"), &json!(0), &json!(format!("xebec://{uid}/once.0"))));
    world.runtime.exit(&uid, "web.1", 0, false);
    world.until("over", |world| world.status("a")["phase"] == "Succeeded").await;
    world.pass(60).await;
    assert_eq!(world.runtime.take_calls(), [format!("stop_sandbox {uid}")]);
    world.stop().await;
}
