//! Pods on a node that do not start, do not stay up, or are not ready.

use expect_test::expect;
use serde_json::{Value, json};

use super::{MADE, World, event, node, pod, pod_in, ready};

fn world(pod: Value) -> World {
    World::default().with(node("n1", "2", "4Gi")).with(pod)
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn terminated(code: i64, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": "2026-11-24T10:09:28Z",
        "finishedAt": "2026-11-24T10:09:30Z", "message": if reason == "StartError" { "cannot start [\"/wbe\"]: no such file" } else { "" }}})
}

fn crashing(code: i64, reason: &str) -> Value {
    let state =
        waiting("CrashLoopBackOff", "back-off 40s restarting failed container=web pod=web_default(u1)");
    pod_in("web", &state, &json!({"restartCount": 3, "lastState": terminated(code, reason)}))
}

#[test]
fn images() {
    let message = "image \"example.com/web:1\" is not on this node; import it with `xebec image import`";
    world(pod_in("web", &waiting("ErrImagePull", message), &json!({}))).check("Pod/web", &expect!["Pod web cannot start its container web: the image example.com/web:1 is not on node n1. Correct the name if it is misspelled, or bring the image to the node with `xebec image import ARCHIVE`; the pod then starts by itself."]);
    world(pod_in("web", &waiting("ErrImageNeverPull", "Container image \"example.com/web:1\" is not present with pull policy of Never"), &json!({}))).check("Pod/web", &expect!["Pod web cannot start its container web: the image example.com/web:1 is not on node n1. Its imagePullPolicy is Never, so the node does not look elsewhere. Correct the name if it is misspelled, or bring the image to the node with `xebec image import ARCHIVE`; the pod then starts by itself."]);
    let broken = "Back-off pulling image \"example.com/web:1\": ErrImagePull: image \"example.com/web:1\": layer 2 has another digest";
    world(pod_in("web", &waiting("ImagePullBackOff", broken), &json!({}))).check("Pod/web", &expect![[r#"Pod web cannot start its container web: the image example.com/web:1 cannot be used (image "example.com/web:1": layer 2 has another digest). Correct the name if another image is meant, or bring a good one to the node with `xebec image import ARCHIVE`."#]]);
}

#[test]
fn configuration_that_is_not_there() {
    let state = waiting("CreateContainerConfigError", "couldn't find key greting in ConfigMap default/web");
    let mut keyed = pod_in("web", &state, &json!({}));
    keyed["spec"]["containers"][0]["env"] =
        json!([{"name": "GREETING", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "greting"}}}]);
    let map = json!({"kind": "ConfigMap", "metadata": {"name": "web", "namespace": "default"},
        "data": {"greeting": "hello", "color": "red"}});
    world(keyed.clone()).with(map.clone()).check("Pod/web", &expect!["Pod web cannot start its container web: its variable GREETING is to come from the key greting of the ConfigMap web, which has color and greeting. Add the key greting to the ConfigMap, or correct the key in the pod's manifest (to greeting?)."]);
    world(keyed.clone()).check("Pod/web", &expect!["Pod web cannot start its container web: its variable GREETING is to come from the ConfigMap web, which is not there. Create the ConfigMap web, or correct the name in the pod's manifest: `xctl create configmap web --from-literal greting=VALUE`."]);
    keyed["spec"]["containers"][0]["env"] =
        json!([{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "redis", "key": "password"}}}]);
    let secret = json!({"kind": "Secret", "metadata": {"name": "reddis", "namespace": "default"}, "data": {"a": "aHVzaA=="}});
    let hidden = world(keyed).with(secret);
    hidden.check("Pod/web", &expect!["Pod web cannot start its container web: its variable PASSWORD is to come from the Secret redis, which is not there, though there is one named reddis. Create the Secret redis, or correct the name in the pod's manifest: `xctl create secret generic redis --from-literal password=VALUE`."]);
    assert!(!hidden.answer("Pod", "web").paragraph().contains("aHVzaA"));
    let mut mounting = pod_in("web", &json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}));
    mounting["spec"]["volumes"] = json!([{"name": "config", "configMap": {"name": "wbe"}}]);
    let failed = event(
        "Pod/web",
        "FailedMount",
        "MountVolume.SetUp failed for volume \"config\" : configmap \"wbe\" not found",
        4,
    );
    world(mounting).with(map).with(failed).check("Pod/web", &expect!["Pod web cannot start its container web: its volume config is to come from the ConfigMap wbe, which is not there, though there is one named web. Create the ConfigMap wbe, or correct the name in the pod's manifest: `xctl create configmap wbe --from-literal KEY=VALUE`."]);
}

#[test]
fn containers_that_end() {
    world(crashing(1, "Error")).log(&["starting", "cannot reach redis"]).check("Pod/web", &expect!["Pod web: its container web was restarted 3 times, and its last run ended with exit code 1 after 2s. The last it printed: starting ⏎ cannot reach redis. The next try is in 10s. Its log says why it ended: `xctl logs web -c web`."]);
    world(crashing(139, "Error")).log(&[]).check("Pod/web", &expect!["Pod web: its container web was restarted 3 times, and its last run was ended by SIGSEGV (exit code 139) after 2s. It printed nothing. The next try is in 10s. Try the command of container web by hand, or have it print what it does."]);
    world(crashing(0, "Completed")).check("Pod/web", &expect!["Pod web: its container web was restarted 3 times, and its last run ended by itself, without an error (exit code 0) after 2s. The next try is in 10s. Have container web run something that goes on, or make it a Job (or set restartPolicy to OnFailure) if it is meant to end."]);
    world(crashing(127, "StartError")).check("Pod/web", &expect![[r#"Pod web: its container web was restarted 3 times, and its last run could not begin: cannot start ["/wbe"]: no such file. The next try is in 10s. Correct command or args of container web: they name what its image does not have."#]]);
    let mut large = crashing(137, "OOMKilled");
    large["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "64Mi"}});
    world(large).check("Pod/web", &expect!["Pod web: its container web was restarted 3 times, and its last run was ended by the kernel for using more memory than its limit (OOMKilled, exit code 137) after 2s. The next try is in 10s. Raise resources.limits.memory of container web, which is 64Mi, or have it use less memory."]);
    let asked = world(crashing(1, "Error")).answer("Pod", "web").wanted_log.expect("its log would help");
    assert_eq!(
        (asked.pod.as_str(), asked.uid.as_str(), asked.container.as_str(), asked.previous),
        ("web", "Pod-web", "web", false)
    );
}

#[test]
fn containers_that_are_ended_by_their_probe() {
    let mut probed = crashing(137, "Error");
    probed["spec"]["containers"][0]["livenessProbe"] = json!({"httpGet": {"path": "/healthz", "port": 9090}});
    world(probed)
        .with(event(
            "Pod/web",
            "Unhealthy",
            "Liveness probe failed: Get 10.42.0.5:9090: Connection refused (os error 111)",
            9,
        ))
        .with(event("Pod/web", "Killing", "Container web failed liveness probe, will be restarted", 3))
        .log(&["listening on 8080"])
        .check("Pod/web", &expect!["Pod web: its container web was restarted 3 times. Each time it was ended for failing its liveness probe (HTTP GET /healthz on port 9090): Get 10.42.0.5:9090: Connection refused (os error 111) (9 times, last 10s ago). The next try is in 10s. Have the probe ask a port on which the container listens: it declares 8080 (http), not 9090."]);
}

#[test]
fn probes_that_fail() {
    let running = json!({"running": {"startedAt": MADE}});
    let probed = |probe: &str, value: Value, started: bool| {
        let mut pod = pod_in("web", &running, &json!({"started": started}));
        pod["spec"]["containers"][0][probe] = value;
        pod
    };
    let http = json!({"httpGet": {"path": "/ready", "port": "http"}});
    world(probed("readinessProbe", http.clone(), true)).check("Pod/web", &expect!["Pod web runs but is not ready: its container web has been running for 10m and has not yet passed its readiness probe (HTTP GET /ready on port http). Nothing has gone wrong so far: ask again in a few seconds."]);
    world(probed("readinessProbe", http, true))
        .with(event(
            "Pod/web",
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
            12,
        ))
        .check("Pod/web", &expect!["Pod web runs but is not ready: its container web fails its readiness probe (HTTP GET /ready on port http): HTTP probe failed with statuscode: 503 (12 times, last 10s ago). Have the container answer with a status from 200 to 399, or correct the probe's path."]);
    let exec = json!({"exec": {"command": ["cat", "/tmp/up"]}});
    world(probed("startupProbe", exec, false))
        .with(event("Pod/web", "Unhealthy", "Startup probe failed: cat: can't open '/tmp/up'", 2))
        .check("Pod/web", &expect!["Pod web runs but is not ready: its container web fails its startup probe (the command `cat /tmp/up`): cat: can't open '/tmp/up' (2 times, last 10s ago). Mend what the probe finds, or correct the probe."]);
}

#[test]
fn init_containers() {
    let mut pod = pod_in("web", &json!({"waiting": {"reason": "PodInitializing"}}), &json!({}));
    pod["spec"]["initContainers"] = json!([{"name": "setup", "image": "x"}]);
    pod["status"]["initContainerStatuses"] = json!([{"name": "setup", "ready": false, "restartCount": 0, "state": {"running": {"startedAt": MADE}}}]);
    world(pod.clone()).check("Pod/web", &expect!["Pod web waits for its init container setup, which has been running for 10m: the other containers start when it has ended well. See what it does with `xctl logs web -c setup`."]);
    pod["status"]["initContainerStatuses"] = json!([{"name": "setup", "ready": false, "restartCount": 2,
        "state": waiting("CrashLoopBackOff", "back-off 20s restarting failed container=web pod=web_default(u1)"), "lastState": terminated(3, "Error")}]);
    world(pod).log(&["no such table"]).check("Pod/web", &expect!["Pod web: its init container setup was restarted 2 times, and its last run ended with exit code 3 after 2s. The last it printed: no such table. The next try is due now. Its log says why it ended: `xctl logs web -c setup`."]);
}

#[test]
fn pods_on_their_way_out() {
    let mut going = ready("web");
    going["metadata"]["deletionTimestamp"] = "2026-11-24T10:10:20Z".into();
    going["metadata"]["deletionGracePeriodSeconds"] = 30.into();
    world(going.clone()).check("Pod/web", &expect!["Pod web was deleted 10s ago and is still here. Its containers were asked to end and have 20s left of their 30s for it. It ends by itself; have the container heed SIGTERM if that takes too long."]);
    going["metadata"]["finalizers"] = json!(["example.com/hold"]);
    going["metadata"]["deletionTimestamp"] = "2026-11-24T10:05:30Z".into();
    world(going.clone()).check("Pod/web", &expect![[r#"Pod web was deleted 5m ago and is still here. It is held by the finalizer example.com/hold, which whoever set it has to take away. See to it that its controller runs; if there is none any more, `xctl patch pod web --type merge -p '{"metadata":{"finalizers":null}}'` lets it go."#]]);
    let mut lost = node("n1", "2", "4Gi");
    lost["status"]["conditions"][0]["status"] = "Unknown".into();
    World::default().with(lost).with(going).check("Pod/web", &expect![[r#"Pod web was deleted 5m ago and is still here. Its node n1 is not ready, so nobody can say that its containers have ended. It is held by the finalizer example.com/hold, which whoever set it has to take away. Bring the node back (`xctl why node/n1`); if it is gone for good, `xctl delete pod web --force` gives the pod up. See to it that its controller runs; if there is none any more, `xctl patch pod web --type merge -p '{"metadata":{"finalizers":null}}'` lets it go."#]]);
}

#[test]
fn nodes_that_are_lost() {
    let mut lost = node("n1", "2", "4Gi");
    lost["status"]["conditions"][0] =
        json!({"type": "Ready", "status": "Unknown", "lastTransitionTime": "2026-11-24T10:08:00Z"});
    World::default().with(lost).with(ready("web")).check("Pod/web", &expect!["Pod web was put onto node n1, which is not ready, so nobody knows how it is. Node n1 has not been heard of for 2m: no master has a session with its agent. 1 of its pods is not replaced yet. See that `xebec node` runs on n1 and reaches a master. If it is gone for good, `xctl delete node n1` gives it up."]);
    World::default().with(node("n2", "2", "4Gi")).with(ready("web")).check("Pod/web", &expect!["Pod web is bound to node n1, and there is no such node. Delete the pod, or start an agent by the name of n1."]);
}

#[test]
fn pods_that_are_well_or_done() {
    world(ready("web")).check(
        "Pod/web",
        &expect![
            "(well) Pod web is well: it runs on node n1, and its container is ready, as it has been for 10m."
        ],
    );
    let mut restarted = ready("web");
    restarted["status"]["containerStatuses"][0]["restartCount"] = 2.into();
    restarted["status"]["containerStatuses"][0]["lastState"] = terminated(137, "OOMKilled");
    world(restarted).check("Pod/web", &expect!["(well) Pod web is well: it runs on node n1, and its container is ready, as it has been for 10m. Its container web was restarted 2 times, last 30s ago, when its run was ended by the kernel for using more memory than its limit (OOMKilled, exit code 137)."]);
    let mut done = pod_in("web", &terminated(0, "Completed"), &json!({}));
    done["status"]["phase"] = "Succeeded".into();
    done["spec"]["restartPolicy"] = "Never".into();
    world(done).check(
        "Pod/web",
        &expect![
            "(well) Pod web is done: it ended well 30s ago, and its restartPolicy Never has it stay so."
        ],
    );
    let mut failed = pod_in("web", &terminated(2, "Error"), &json!({}));
    failed["status"]["phase"] = "Failed".into();
    world(failed).log(&["usage: web PORT"]).check("Pod/web", &expect!["Pod web: its container web does not stay up, and its last run ended with exit code 2 after 2s. The last it printed: usage: web PORT. Its log says why it ended: `xctl logs web -c web`."]);
    let mut new = pod("web");
    new["status"] = json!({"phase": "Pending"});
    world(new.clone()).check("Pod/web", &expect!["Pod web is being started on node n1, and has been for 10m. Nothing has gone wrong so far: ask again in a few seconds."]);
    world(new)
        .with(event("Pod/web", "FailedCreatePodSandBox", "pod network: no address is left.", 3))
        .check("Pod/web", &expect!["Pod web is being started on node n1, and has been for 10m. The node says: pod network: no address is left."]);
}
