//! What users read in `describe`.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};

#[tokio::test(start_paused = true)]
async fn a_pods_life_is_told() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.bind("a", one("nginx", "Always"));
    world.until_running("a").await;
    world.change("a", |pod| pod.set(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z"));
    world.until_event("1 Normal Killing Stopping container web").await;
    expect![[r#"
        1 Normal Pulled Container image "nginx" already present on machine
        1 Normal Created Created container: web
        1 Normal Started Started container web
        1 Normal Killing Stopping container web"#]]
    .assert_eq(&world.events().join("\n"));
    let event = &world.fake.store.list("events", "")[0];
    let about = json!({"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "a", "uid": "uid-1",
        "fieldPath": "spec.containers{web}"});
    assert_eq!(event.get(&["involvedObject"]), Some(&about));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_again_is_counted() {
    let world = World::start().await;
    world.runtime.add_image("crash", Behaviour::Exit { code: 1, after: Duration::from_secs(1) });
    world.bind("a", one("crash", "Always"));
    world
        .until_event("4 Warning BackOff Back-off restarting failed container web in pod a_default(uid-1)")
        .await;
    expect![[r#"
        5 Normal Pulled Container image "crash" already present on machine
        5 Normal Created Created container: web
        5 Normal Started Started container web
        4 Warning BackOff Back-off restarting failed container web in pod a_default(uid-1)"#]]
    .assert_eq(&world.events().join("\n"));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_told() {
    let world = World::start().await;
    world.runtime.fail_sandboxes(Some("no address is left"));
    world.bind("a", json!({
        "containers": [{"name": "web", "image": "absent", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "configMap": {"name": "gone"}}],
    }));
    let sandbox = "Failed to create pod sandbox: pod network: no address is left";
    world.until("the first", |world| world.events().iter().any(|event| event.contains(sandbox))).await;
    world.runtime.fail_sandboxes(None);
    world.until("the second", |world| world.events().iter().any(|event| event.contains("FailedMount"))).await;
    world.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gone", "namespace": "default"}}));
    world.until_event("1 Warning Failed Error: ImagePullBackOff").await;
    let uncounted =
        |event: String| event.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned();
    let events: Vec<String> = world.events().into_iter().map(uncounted).collect();
    expect![[r#"
        Warning FailedCreatePodSandBox Failed to create pod sandbox: pod network: no address is left
        Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "gone" not found
        Warning Failed Failed to pull image "absent": image "absent" is not on this node; import it with `xebec image import`
        Warning Failed Error: ErrImagePull
        Normal BackOff Back-off pulling image "absent"
        Warning Failed Error: ImagePullBackOff"#]].assert_eq(&events.join("\n"));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_probe_says_is_told_in_short() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.on_exec("check", 1, &"no ".repeat(20_000));
    let mut spec = one("nginx", "Always");
    spec["containers"][0]["livenessProbe"] = json!({"exec": {"command": ["check"]}, "failureThreshold": 100});
    world.bind("a", spec);
    let said = |world: &World| world.events().into_iter().find(|event| event.contains("Unhealthy"));
    world.until("an event", |world| said(world).is_some()).await;
    let event = said(&world).expect("it was told");
    assert!(event.starts_with("1 Warning Unhealthy Liveness probe failed: no no ") && event.ends_with("..."));
    assert_eq!(event.len(), "1 Warning Unhealthy ".len() + 1024);
    world.stop().await;
}
