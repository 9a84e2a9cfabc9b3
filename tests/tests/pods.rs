//! What a pod sees of its volumes, its names and its probes, on a real node: contents that
//! follow the API, memory that its containers share, and all of it over an agent's end. And
//! what becomes of pods when their node is short of memory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xebec_tests::demo::Demo;
use xebec_tests::waiting::eventually;

const SOON: Duration = Duration::from_secs(30);
/// For what takes several looks of an agent, which are ten seconds apart.
const SOME_LOOKS: Duration = Duration::from_secs(90);

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

/// It asks for nothing and holds 64 MiB.
const HOG: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: hog, namespace: default}
spec:
  selector: {matchLabels: {app: hog}}
  template:
    metadata: {labels: {app: hog}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: memory, emptyDir: {medium: Memory}}]
      containers:
        - name: hog
          image: xebec.local/busybox:1
          command: [/bin/sh, -c, "dd if=/dev/zero of=/memory/large bs=1M count=64 && exec /bin/busybox sleep 100000"]
          readinessProbe: {exec: {command: [/bin/sh, -c, "test -s /memory/large"]}, periodSeconds: 1}
          volumeMounts: [{name: memory, mountPath: /memory}]
"#;

const LATE: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: default}
spec:
  nodeName: n2
  containers: [{name: late, image: "xebec.local/busybox:1", command: [/bin/busybox, sleep, "100000"]}]
"#;

/// The memory of the machine is not touched: one node is told that it needs more than there is.
#[test]
fn a_node_that_is_short_of_memory_ends_its_greediest_pod_and_another_node_takes_over() {
    let Some(demo) = Demo::up() else { return };
    demo.xctl(&["cordon", "n1"]).expect("cordons");
    apply(&demo, HOG);
    eventually("the hog on n2", SOON, || ready_hog(&demo, "n2"));
    demo.xctl(&["uncordon", "n1"]).expect("uncordons");
    starve(&demo, "n2");

    let evicted = eventually("the eviction", SOME_LOOKS, || {
        let found = hogs(&demo)?.into_iter().find(|pod| {
            text(&pod["status"]["message"]).starts_with("The node was low on resource: memory. ")
        });
        found.context("no hog is evicted")
    });
    the_eviction_is_told(&demo, &evicted);
    eventually("the hog on n1", SOME_LOOKS, || ready_hog(&demo, "n1"));
    eventually("the pressure", SOON, || is_under_pressure(&demo, "True", true));
    what_comes_late_is_refused(&demo);
    what_the_node_needs_stays(&demo);

    demo.kill_component("n2");
    demo.bring_up();
    eventually("the end of the pressure", SOON, || is_under_pressure(&demo, "False", false));
    demo.xctl(&["delete", "deployment", "hog"]).expect("deletes");
    demo.down();
}

/// Starts a node's agent anew, with a threshold that no machine meets.
fn starve(demo: &Demo, node: &str) {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster-configs/three-masters");
    let own = fs::read_to_string(own.join(format!("{node}.toml"))).expect("its configuration");
    let starved = format!("{own}\"memory.available\" = \"1000Gi\"\n");
    assert!(own.contains("[eviction.hard]"), "the threshold stands in the last table: {starved}");
    let config = demo.dir().join("starved.toml");
    fs::write(&config, starved).expect("the demo's folder is there");
    demo.kill_component(node);
    demo.start_node(node, &config);
}

fn the_eviction_is_told(demo: &Demo, pod: &Value) {
    let (status, name) = (&pod["status"], text(&pod["metadata"]["name"]));
    assert_eq!((text(&status["phase"]), text(&status["reason"])), ("Failed", "Evicted"), "{status:#}");
    let message = text(&status["message"]);
    for wanted in ["Threshold quantity: 1000Gi, available: ", "Container hog was using ", "request is 0, "] {
        assert!(message.contains(wanted), "no {wanted:?} in {message:?}");
    }
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let target = conditions.find(|condition| condition["type"] == "DisruptionTarget").expect("it is said");
    assert_eq!((text(&target["status"]), text(&target["reason"])), ("True", "TerminationByKubelet"));
    eventually("the event", SOON, || {
        let events = demo.xctl_json(&["get", "events"])?;
        let mut about = items(&events).filter(|event| event["involvedObject"]["name"] == name);
        ensure!(about.any(|event| event["reason"] == "Evicted" && event["type"] == "Warning"), "{events:#}");
        Ok(())
    });
}

fn is_under_pressure(demo: &Demo, status: &str, is_tainted: bool) -> Result<()> {
    let node = demo.xctl_json(&["get", "node", "n2"])?;
    let mut conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let found = conditions.find(|condition| condition["type"] == "MemoryPressure");
    ensure!(
        found.is_some_and(|condition| condition["status"] == status),
        "{:#}",
        node["status"]["conditions"]
    );
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let wanted = ("node.kubernetes.io/memory-pressure", "NoSchedule");
    let found = taints.any(|taint| (text(&taint["key"]), text(&taint["effect"])) == wanted);
    ensure!(found == is_tainted, "{:#}", node["spec"]);
    Ok(())
}

/// A pod that names the node needs no scheduler, and asks for nothing.
fn what_comes_late_is_refused(demo: &Demo) {
    apply(demo, LATE);
    let status = eventually("the refusal", SOON, || {
        let pod = demo.xctl_json(&["get", "pod", "late"])?;
        ensure!(pod["status"]["phase"] == "Failed", "{:#}", pod["status"]);
        Ok(pod["status"].clone())
    });
    let wanted = "Pod was rejected: The node had condition: [MemoryPressure]. ";
    assert_eq!((text(&status["reason"]), text(&status["message"])), ("Evicted", wanted));
    demo.xctl(&["delete", "pod", "late"]).expect("deletes");
}

fn what_the_node_needs_stays(demo: &Demo) {
    let pods = demo.xctl_json(&["get", "pods", "-n", "kube-system"]).expect("pods");
    let here = items(&pods).filter(|pod| pod["spec"]["nodeName"] == "n2");
    let phases: Vec<(&str, &str)> =
        here.map(|pod| (text(&pod["metadata"]["name"]), text(&pod["status"]["phase"]))).collect();
    assert!(phases.iter().any(|(name, _)| name.starts_with("kube-proxy")), "{phases:?}");
    assert!(phases.iter().all(|(_, phase)| *phase == "Running"), "{phases:?}");
}

fn hogs(demo: &Demo) -> Result<Vec<Value>> {
    let pods = demo.xctl_json(&["get", "pods", "-l", "app=hog"])?;
    Ok(items(&pods).cloned().collect())
}

fn ready_hog(demo: &Demo, node: &str) -> Result<()> {
    let hogs = hogs(demo)?;
    let is_ready = |pod: &Value| {
        let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    let found = hogs.iter().any(|pod| pod["spec"]["nodeName"] == node && is_ready(pod));
    ensure!(found, "{hogs:#?}");
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
