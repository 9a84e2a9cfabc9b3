//! Containers that end: killed by the kernel, by themselves, by their pod's deadline; and
//! those that serve the others.

use anyhow::ensure;
use serde_json::{Value, json};
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

use super::{SOON, apply, is_ready, run, until, until_event};

const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "x=x; while true; do x=$x$x; done"]
      resources: {limits: {memory: 16Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "echo no database > /dev/termination-log; exit 3"]
---
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "echo the last line; exit 4"]
      terminationMessagePolicy: FallbackToLogsOnError
---
apiVersion: v1
kind: Pod
metadata: {name: late}
spec:
  activeDeadlineSeconds: 2
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "xebec.local/busybox:1", command: [/bin/busybox, sleep, "1000"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: lost}
spec:
  containers: [{name: main, image: "xebec.local/busybox:1", command: [/bin/no-such-thing]}]
"#;

fn container(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]
}

pub(crate) fn containers_say_how_they_ended(demo: &Demo) {
    apply(demo, PODS);
    let greedy = until(demo, "pod", "greedy", |pod| pod["status"]["phase"] == "Failed");
    let ended = &container(&greedy)["state"]["terminated"];
    assert_eq!((&ended["reason"], &ended["exitCode"]), (&json!("OOMKilled"), &json!(137)));
    assert!(demo.xctl(&["get", "pod", "greedy"]).expect("the table").contains(" OOMKilled "));

    let talker = until(demo, "pod", "talker", |pod| pod["status"]["phase"] == "Failed");
    let ended = &container(&talker)["state"]["terminated"];
    assert_eq!(
        (&ended["reason"], &ended["exitCode"], &ended["message"]),
        (&json!("Error"), &json!(4), &json!("the last line\n"))
    );

    a_finished_pod_is_a_record_and_a_log(demo, &talker);

    let late = until(demo, "pod", "late", |pod| pod["status"]["phase"] == "Failed");
    assert_eq!(late["status"]["reason"], "DeadlineExceeded");
    until_event(
        demo,
        "late",
        "DeadlineExceeded Pod was active on the node longer than the specified deadline",
    );

    let lost = until(demo, "pod", "lost", |pod| container(pod)["lastState"]["terminated"].is_object());
    assert_eq!(container(&lost)["lastState"]["terminated"]["reason"], "StartError");
    in_a_crash_loop(demo);
    demo.xctl(&["delete", "pod", "greedy", "talker", "late", "lost", "crash"]).expect("deletes");
}

/// Its shim, its address and its volumes are given back; what it said is still read.
fn a_finished_pod_is_a_record_and_a_log(demo: &Demo, pod: &Value) {
    let uid = pod["metadata"]["uid"].as_str().expect("a uid");
    let data = demo.dir().join("single/data/node");
    eventually("the record alone is left", SOON, || {
        let entries = std::fs::read_dir(data.join("run").join(uid))?.flatten();
        let mut left: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        left.sort();
        ensure!(left == ["config.json", "ready", "state.json"], "{left:?}");
        let addresses = std::fs::read_to_string(data.join("addresses.json"))?;
        ensure!(!addresses.contains(uid), "{addresses}");
        ensure!(!data.join("volumes").join(uid).exists(), "it has volumes");
        Ok(())
    });
    assert_eq!(demo.xctl(&["logs", "talker"]).expect("its log stays"), "the last line\n");
    let status = until(demo, "pod", "talker", |_| true)["status"].clone();
    assert_eq!((&status["phase"], &status["podIP"]), (&json!("Failed"), &pod["status"]["podIP"]));
}

fn in_a_crash_loop(demo: &Demo) {
    let crash =
        until(demo, "pod", "crash", |pod| container(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff");
    let status = container(&crash);
    let name = format!("crash_default({})", crash["metadata"]["uid"].as_str().expect("a uid"));
    let message = status["state"]["waiting"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("back-off ")
            && message.ends_with(&format!("s restarting failed container=main pod={}", name)),
        "{message}"
    );
    let last = &status["lastState"]["terminated"];
    assert_eq!(
        (&last["reason"], &last["exitCode"], &last["message"]),
        (&json!("Error"), &json!(3), &json!("no database\n"))
    );
    assert_eq!(crash["status"]["phase"], "Running");
    assert!(demo.xctl(&["get", "pod", "crash"]).expect("the table").contains(" CrashLoopBackOff "));
    until_event(demo, "crash", &format!("BackOff Back-off restarting failed container main in pod {name}"));
}

const SIDECARS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: served}
spec:
  terminationGracePeriodSeconds: 2
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
    - name: helper
      image: xebec.local/busybox:1
      restartPolicy: Always
      command: [/bin/sh, -c, "echo helper >> /shared/order; sleep 0.2; touch /shared/up; exec sleep 1000"]
      startupProbe: {exec: {command: [/bin/sh, -c, "test -e /shared/up"]}, periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 10}
      volumeMounts: [{name: shared, mountPath: /shared}]
    - name: once
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "test -e /shared/up && echo once >> /shared/order"]
      volumeMounts: [{name: shared, mountPath: /shared}]
  containers:
    - name: main
      image: xebec.local/busybox:1
      command: [/bin/sh, -c, "echo main >> /shared/order; exec sleep 1000"]
      volumeMounts: [{name: shared, mountPath: /shared}]
"#;

pub(crate) fn sidecars_serve_the_others(demo: &Demo) {
    apply(demo, SIDECARS);
    let pod = until(demo, "pod", "served", is_ready);
    let init = &pod["status"]["initContainerStatuses"];
    assert_eq!((&init[0]["started"], &init[0]["ready"]), (&json!(true), &json!(true)));
    assert_eq!(init[1]["state"]["terminated"]["reason"], "Completed");
    assert_eq!(run(demo, "served", "cat /shared/order").expect("reads"), "helper\nonce\nmain\n");
    assert!(demo.xctl(&["get", "pod", "served"]).expect("the table").contains(" 2/2 "));
    demo.xctl(&["delete", "pod", "served"]).expect("deletes");
    eventually("it is gone", SOON, || {
        ensure!(!demo.xctl(&["get", "pods"])?.contains("served"), "it is there");
        Ok(())
    });
}
