//! How pods start, and what is said of those that cannot.

use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use xebec_runtime::fake::Behaviour;

use super::world::{World, one};

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("json")
}

#[tokio::test(start_paused = true)]
async fn a_pod_starts_and_its_whole_status_is_told() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.bind("a", one("nginx", "Always"));
    world.until("ready", |world| world.condition("a", "Ready") == "True").await;
    expect![[r#"
        {
          "conditions": [
            {
              "lastProbeTime": null,
              "lastTransitionTime": "2026-01-01T00:00:00Z",
              "status": "True",
              "type": "PodReadyToStartContainers"
            },
            {
              "lastProbeTime": null,
              "lastTransitionTime": "2026-01-01T00:00:00Z",
              "status": "True",
              "type": "Initialized"
            },
            {
              "lastProbeTime": null,
              "lastTransitionTime": "2026-01-01T00:00:00Z",
              "status": "True",
              "type": "Ready"
            },
            {
              "lastProbeTime": null,
              "lastTransitionTime": "2026-01-01T00:00:00Z",
              "status": "True",
              "type": "ContainersReady"
            },
            {
              "lastProbeTime": null,
              "lastTransitionTime": "2026-01-01T00:00:00Z",
              "status": "True",
              "type": "PodScheduled"
            }
          ],
          "containerStatuses": [
            {
              "containerID": "xebec://uid-1/web.0",
              "image": "nginx",
              "imageID": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
              "name": "web",
              "ready": true,
              "restartCount": 0,
              "started": true,
              "state": {
                "running": {
                  "startedAt": "2026-01-01T00:00:00Z"
                }
              }
            }
          ],
          "hostIP": "192.0.2.1",
          "hostIPs": [
            {
              "ip": "192.0.2.1"
            }
          ],
          "phase": "Running",
          "podIP": "10.42.0.2",
          "podIPs": [
            {
              "ip": "10.42.0.2"
            }
          ],
          "qosClass": "BestEffort",
          "startTime": "2026-01-01T00:00:00Z"
        }"#]]
    .assert_eq(&pretty(&world.status("a")));
    expect![[r#"
        run_sandbox default/a uid-1
        start_container uid-1 web.0 nginx"#]]
    .assert_eq(&world.runtime.take_calls().join("\n"));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn init_containers_go_first_one_by_one() {
    let world = World::start().await;
    world.runtime.add_image("once", Behaviour::Exit { code: 0, after: Duration::from_secs(2) });
    world.runtime.add_image("nginx", Behaviour::Run);
    let init = json!([{"name": "first", "image": "once"}, {"name": "second", "image": "once"}]);
    world.bind("a", json!({"initContainers": init, "containers": [{"name": "web", "image": "nginx"}]}));
    world.until("the first", |world| world.status("a")["initContainerStatuses"][0]["started"] == true).await;
    let status = world.status("a");
    assert_eq!(status["phase"], "Pending");
    assert_eq!(status["containerStatuses"][0]["state"], json!({"waiting": {"reason": "PodInitializing"}}));
    world.until_running("a").await;
    let started: Vec<String> =
        world.runtime.take_calls().into_iter().filter(|call| call.starts_with("start")).collect();
    assert_eq!(
        started,
        [
            "start_container uid-1 first.0 once",
            "start_container uid-1 second.0 once",
            "start_container uid-1 web.0 nginx"
        ]
    );
    let init = &world.status("a")["initContainerStatuses"];
    assert_eq!(
        (&init[1]["ready"], &init[1]["state"]["terminated"]["reason"]),
        (&json!(true), &json!("Completed"))
    );
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_there_is_named_until_it_comes() {
    let world = World::start().await;
    world.bind("a", one("absent", "Always"));
    world.until_state("a", "waiting", "ErrImagePull").await;
    expect![[r#"
        {
          "image": "absent",
          "imageID": "",
          "name": "web",
          "ready": false,
          "restartCount": 0,
          "started": false,
          "state": {
            "waiting": {
              "message": "image \"absent\" is not on this node; import it with `xebec image import`",
              "reason": "ErrImagePull"
            }
          }
        }"#]]
    .assert_eq(&pretty(&world.container("a")));
    world.until_state("a", "waiting", "ImagePullBackOff").await;
    let waiting = &world.container("a")["state"]["waiting"];
    let wanted = "Back-off pulling image \"absent\": ErrImagePull: image \"absent\" is not on this node; import it with `xebec image import`";
    assert_eq!(waiting["message"], wanted);
    world.runtime.add_image("absent", Behaviour::Run);
    world.until_running("a").await;
    assert_eq!(world.container("a")["restartCount"], 0, "it never ran before");
    world.stop().await;
}

/// Not all of it is there: what runs of it already makes it no running pod.
#[tokio::test(start_paused = true)]
async fn a_pod_is_pending_until_each_of_its_containers_has_begun() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let containers = json!([{"name": "web", "image": "nginx"}, {"name": "log", "image": "absent"}]);
    let uid = world.bind("a", json!({"containers": containers}));
    let log = |world: &World| world.status("a")["containerStatuses"][1]["state"].clone();
    world.until("the other waits", |world| log(world)["waiting"]["reason"] == "ImagePullBackOff").await;
    assert!(world.container("a")["state"]["running"].is_object());
    assert_eq!(world.status("a")["phase"], "Pending");
    world.runtime.add_image("absent", Behaviour::Run);
    world.until("all of it", |world| log(world)["running"].is_object()).await;
    assert_eq!(world.status("a")["phase"], "Running");
    world.runtime.exit(&uid, "log.0", 1, false);
    world.until("a restart", |world| world.status("a")["containerStatuses"][1]["restartCount"] == 1).await;
    assert_eq!(world.status("a")["phase"], "Running", "it has begun once");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_must_not_be_pulled_says_so() {
    let world = World::start().await;
    world.bind("a", json!({"containers": [{"name": "web", "image": "absent", "imagePullPolicy": "Never"}]}));
    world.until_state("a", "waiting", "ErrImageNeverPull").await;
    world.pass(60).await;
    let waiting = world.container("a")["state"]["waiting"].clone();
    let message = "Container image \"absent\" is not present with pull policy of Never";
    assert_eq!(waiting, json!({"reason": "ErrImageNeverPull", "message": message}));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_there_counts_as_a_run() {
    let world = World::start().await;
    world.runtime.add_image("broken", Behaviour::FailStart { message: "no such file or directory".into() });
    let spec = |policy| json!({"restartPolicy": policy, "containers": [{"name": "web", "image": "broken", "command": ["/nope"]}]});
    world.bind("again", spec("Always"));
    world.bind("once", spec("Never"));
    world.until_state("again", "waiting", "RunContainerError").await;
    world.until_state("again", "waiting", "CrashLoopBackOff").await;
    expect![[r#"
        {
          "image": "broken",
          "imageID": "",
          "lastState": {
            "terminated": {
              "exitCode": 127,
              "finishedAt": "2026-01-01T00:00:10Z",
              "message": "cannot start \"/nope\": no such file or directory",
              "reason": "StartError",
              "startedAt": "2026-01-01T00:00:10Z"
            }
          },
          "name": "web",
          "ready": false,
          "restartCount": 1,
          "started": false,
          "state": {
            "waiting": {
              "message": "back-off 20s restarting failed container=web pod=again_default(uid-1)",
              "reason": "CrashLoopBackOff"
            }
          }
        }"#]]
    .assert_eq(&pretty(&world.container("again")));
    world.pass(100).await;
    expect![[r#"
        {
          "image": "broken",
          "imageID": "",
          "name": "web",
          "ready": false,
          "restartCount": 0,
          "started": false,
          "state": {
            "terminated": {
              "exitCode": 127,
              "finishedAt": "2026-01-01T00:00:00Z",
              "message": "cannot start \"/nope\": no such file or directory",
              "reason": "StartError",
              "startedAt": "2026-01-01T00:00:00Z"
            }
          }
        }"#]]
    .assert_eq(&pretty(&world.container("once")));
    assert_eq!(world.status("once")["phase"], "Failed");
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_config_map_is_waited_for() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    let env = json!([{"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "paint", "key": "color"}}}]);
    let uid = world.bind("a", json!({"containers": [{"name": "web", "image": "nginx", "env": env}]}));
    world.until_state("a", "waiting", "CreateContainerConfigError").await;
    assert_eq!(world.container("a")["state"]["waiting"]["message"], "configmap \"paint\" not found");
    world.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "paint", "namespace": "default"}, "data": {"colour": "red"}}));
    let no_key = "couldn't find key color in ConfigMap default/paint";
    world.until(no_key, |world| world.container("a")["state"]["waiting"]["message"] == no_key).await;
    world.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "paint", "namespace": "default"}, "data": {"color": "red"}}));
    world.until_running("a").await;
    let spec = world.runtime.container_spec(&uid, "web.0").expect("it was started");
    assert_eq!(spec.env, [("COLOR".to_owned(), "red".to_owned())]);
    assert_eq!(world.container("a")["restartCount"], 0);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_volume_keeps_a_container_in_the_making() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.bind("a", json!({
        "containers": [{"name": "web", "image": "nginx", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "secret": {"secretName": "keys"}}],
    }));
    let is_told = |world: &World| world.container("a")["state"]["waiting"]["message"].is_string();
    world.until("a message", is_told).await;
    assert_eq!(world.container("a")["state"]["waiting"]["reason"], "ContainerCreating");
    world.put(json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "keys", "namespace": "default"}, "data": {"k": "dg=="}}));
    world.until_running("a").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_cannot_be_made_is_tried_again() {
    let world = World::start().await;
    world.runtime.add_image("nginx", Behaviour::Run);
    world.runtime.fail_sandboxes(Some("no address is left"));
    world.bind("a", one("nginx", "Always"));
    world.until_state("a", "waiting", "ContainerCreating").await;
    assert_eq!(world.condition("a", "PodReadyToStartContainers"), "False");
    world.runtime.fail_sandboxes(None);
    world.until_running("a").await;
    world.stop().await;
}
