//! What a pod sees of its volumes, its names and its probes, on a real node: contents that
//! follow the API, memory that its containers share, and all of it over an agent's end.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

const SOON: Duration = Duration::from_secs(30);

const POD: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: paint, namespace: default}
data: {color: red}
---
apiVersion: v1
kind: Pod
metadata: {name: box, namespace: default, labels: {app: box}}
spec:
  terminationGracePeriodSeconds: 1
  hostAliases: [{ip: 192.0.2.7, hostnames: [db.test]}]
  dnsPolicy: None
  dnsConfig: {nameservers: [192.0.2.53], searches: [a.test]}
  volumes:
    - {name: cache, emptyDir: {medium: Memory, sizeLimit: 64Ki}}
    - {name: paint, configMap: {name: paint}}
    - name: all
      projected:
        sources:
          - serviceAccountToken: {path: token, expirationSeconds: 600}
          - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
          - configMap: {name: paint, items: [{key: color, path: deep/color, mode: 0400}]}
  containers:
    - name: one
      image: xebec.local/busybox:1
      command: [/bin/busybox, sleep, "100000"]
      resources: {limits: {cpu: 500m, memory: 32Mi}}
      env: [{name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}]
      livenessProbe: {exec: {command: [/bin/sh, -c, "test ! -e /die"]}, periodSeconds: 1, timeoutSeconds: 10}
      volumeMounts:
        - {name: cache, mountPath: /cache}
        - {name: paint, mountPath: /paint}
        - {name: paint, mountPath: /fixed, subPath: color}
        - {name: all, mountPath: /all}
    - name: two
      image: xebec.local/busybox:1
      command: [/bin/busybox, sleep, "100000"]
      resources: {limits: {cpu: 500m, memory: 32Mi}}
      volumeMounts: [{name: cache, mountPath: /cache}]
"#;

#[test]
fn a_pod_keeps_its_volumes_and_its_names_over_restarts() {
    let Some(demo) = Demo::up() else { return };
    apply(&demo, POD);
    eventually("the pod is ready", SOON, || is_ready(&demo));
    names_and_variables_are_there(&demo);
    contents_follow_the_api(&demo);
    memory_is_shared_and_bounded(&demo);
    memory_outlives_the_agent_and_a_restart(&demo);
    what_happened_is_told(&demo);
    demo.xctl(&["delete", "pod", "box"]).expect("deletes");
    demo.down();
}

fn names_and_variables_are_there(demo: &Demo) {
    assert!(run(demo, "one", "cat /etc/hosts").expect("runs").ends_with("192.0.2.7\tdb.test\n"));
    assert_eq!(
        run(demo, "one", "cat /etc/resolv.conf").expect("runs"),
        "search a.test\nnameserver 192.0.2.53\n"
    );
    assert_eq!(run(demo, "one", "echo $MEMORY").expect("runs"), "32\n");
    assert_eq!(run(demo, "one", "cat /all/deep/color").expect("runs"), "red");
    let token = run(demo, "one", "cat /all/token").expect("runs");
    assert_eq!(token.split('.').count(), 3, "a JSON web token: {token}");
}

fn contents_follow_the_api(demo: &Demo) {
    apply(demo, &POD.split("---").next().expect("the ConfigMap").replace("red", "blue"));
    demo.xctl(&["label", "pod", "box", "tier=test"]).expect("labels");
    eventually("the new color", SOON, || {
        let found = run(demo, "one", "cat /paint/color /all/deep/color")?;
        ensure!(found == "blueblue", "{found}");
        Ok(())
    });
    eventually("the new label", SOON, || {
        let found = run(demo, "one", "cat /all/labels")?;
        ensure!(found == "app=\"box\"\ntier=\"test\"", "{found}");
        Ok(())
    });
    assert_eq!(run(demo, "one", "cat /fixed").expect("runs"), "red", "a subPath is not followed");
    assert!(run(demo, "one", "echo x > /paint/color").is_err(), "nobody writes to what the API fills");
}

fn memory_is_shared_and_bounded(demo: &Demo) {
    run(demo, "one", "echo kept > /cache/file").expect("writes");
    assert_eq!(run(demo, "two", "cat /cache/file").expect("reads"), "kept\n");
    run(demo, "two", "dd if=/dev/zero of=/cache/large bs=1k count=128").expect_err("64 KiB are its limit");
    run(demo, "two", "rm /cache/large").expect("removes");
}

fn memory_outlives_the_agent_and_a_restart(demo: &Demo) {
    let pod = demo.xctl_json(&["get", "pod", "box"]).expect("the pod");
    demo.kill_component(pod["spec"]["nodeName"].as_str().expect("a node"));
    demo.bring_up();
    assert_eq!(restarts(&demo.xctl_json(&["get", "pod", "box"]).expect("the pod")), [0, 0]);
    eventually("the exec by the new agent", SOON, || run(demo, "one", "touch /die"));
    eventually("a restart by the liveness probe", SOON, || {
        let found = restarts(&demo.xctl_json(&["get", "pod", "box"])?);
        ensure!(found == [1, 0], "{found:?}");
        is_ready(demo)
    });
    assert_eq!(run(demo, "one", "cat /cache/file /fixed").expect("reads"), "kept\nblue");
}

fn what_happened_is_told(demo: &Demo) {
    eventually("the events", SOON, || {
        let events = demo.xctl_json(&["get", "events"])?;
        let reasons: Vec<&str> = items(&events)
            .filter(|event| event["involvedObject"]["name"] == "box")
            .filter_map(|event| event["reason"].as_str())
            .collect();
        for wanted in ["Scheduled", "Pulled", "Created", "Started", "Unhealthy", "Killing"] {
            ensure!(reasons.contains(&wanted), "no {wanted} in {reasons:?}");
        }
        Ok(())
    });
}

fn apply(demo: &Demo, manifest: &str) {
    let file = demo.dir().join("box.yaml");
    fs::write(&file, manifest).expect("the demo's folder is there");
    let file = file.display().to_string();
    demo.xctl(&["apply", "-f", &file]).expect("applies");
}

/// A shell's output in a container; an error where it fails.
fn run(demo: &Demo, container: &str, command: &str) -> Result<String> {
    demo.xctl(&["exec", "box", "-c", container, "--", "/bin/sh", "-c", command])
}

fn is_ready(demo: &Demo) -> Result<()> {
    let pod = demo.xctl_json(&["get", "pod", "box"])?;
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    ensure!(conditions.any(|c| c["type"] == "Ready" && c["status"] == "True"), "{:#}", pod["status"]);
    Ok(())
}

fn restarts(pod: &Value) -> Vec<u64> {
    let statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    statuses.filter_map(|status| status["restartCount"].as_u64()).collect()
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list["items"].as_array().into_iter().flatten()
}
