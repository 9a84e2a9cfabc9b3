//! What makes pods, and the pod that says why there are not enough.

use expect_test::expect;
use serde_json::{Value, json};

use super::{MADE, World, event, node, owned_by, pod_in, ready};

fn deployment(available: i64, more: &Value) -> Value {
    let mut status = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": available,
        "availableReplicas": available, "conditions": [{"type": "Available", "status": "True", "lastTransitionTime": MADE}]});
    for (key, value) in more.as_object().into_iter().flatten() {
        status[key] = value.clone();
    }
    json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "default", "generation": 1},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}}}, "status": status})
}

fn set(name: &str, revision: &str) -> Value {
    owned_by(
        json!({"kind": "ReplicaSet", "metadata": {"name": name, "namespace": "default", "generation": 1,
            "annotations": {"deployment.kubernetes.io/revision": revision}}, "spec": {"replicas": 2},
            "status": {"observedGeneration": 1, "replicas": 2}}),
        "Deployment/web",
    )
}

fn without_image(name: &str) -> Value {
    let message = "image \"example.com/web:1\" is not on this node; import it with `xebec image import`";
    pod_in(name, &json!({"waiting": {"reason": "ErrImagePull", "message": message}}), &json!({}))
}

fn world() -> World {
    World::default().with(node("n1", "2", "4Gi")).with(set("web-1", "1"))
}

#[test]
fn a_deployment_is_followed_to_its_pod() {
    let broken = |name| owned_by(without_image(name), "ReplicaSet/web-2");
    let world = world().with(set("web-2", "2")).with(owned_by(ready("web-1-a"), "ReplicaSet/web-1"));
    let world = world.with(broken("web-2-a")).with(broken("web-2-b"));
    let late = json!({"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]});
    world.with(deployment(1, &late)).check("Deployment/web", &expect!["Deployment web has 1 of 2 replicas available. 2 of its pods are not ready; one of them: Pod web-2-a cannot start its container web: the image example.com/web:1 is not on node n1. The rollout got no further within its progressDeadlineSeconds of 600. Correct the name if it is misspelled, or bring the image to the node with `xebec image import ARCHIVE`; the pod then starts by itself. Or go back to the revision before with `xctl rollout undo deployment/web`."]);
}

#[test]
fn a_deployment_whose_pods_cannot_be_made() {
    world()
        .with(deployment(0, &json!({"replicas": 0, "updatedReplicas": 0})))
        .with(event(
            "ReplicaSet/web-1",
            "FailedCreate",
            "pods \"web-1-\" is forbidden: exceeded quota: small",
            7,
        ))
        .check("Deployment/web", &expect![[r#"Deployment web has 0 of 2 replicas available. Its pods cannot be made: pods "web-1-" is forbidden: exceeded quota: small. Correct the template, or have the limit that refuses it raised."#]]);
    world()
        .with(deployment(0, &json!({"replicas": 0, "updatedReplicas": 0})))
        .check("Deployment/web", &expect!["Deployment web has 0 of 2 replicas available. 2 of its pods are still to be made. That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`."]);
}

#[test]
fn a_deployment_that_waits_by_its_users_wish() {
    let mut paused = deployment(2, &json!({"updatedReplicas": 0}));
    paused["spec"]["paused"] = true.into();
    world().with(paused).check("Deployment/web", &expect!["Deployment web is paused: what was changed in its template waits. Let it go on with `xctl rollout resume deployment/web`."]);
    let mut none = deployment(0, &json!({}));
    none["spec"]["replicas"] = 0.into();
    world().with(none).check("Deployment/web", &expect!["(well) Deployment web is scaled to 0, so it has no pods. `xctl scale deployment/web --replicas 1` gives it one."]);
    let mut unseen = deployment(2, &json!({}));
    unseen["metadata"]["generation"] = 2.into();
    world().with(unseen).check("Deployment/web", &expect!["Deployment web was changed, and no controller has taken that up yet. That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`."]);
}

#[test]
fn a_deployment_that_is_well() {
    let world =
        world().with(owned_by(ready("a"), "ReplicaSet/web-1")).with(owned_by(ready("b"), "ReplicaSet/web-1"));
    world.with(deployment(2, &json!({}))).check(
        "Deployment/web",
        &expect!["(well) Deployment web is well: 2 of 2 replicas are available, as they have been for 10m."],
    );
}

#[test]
fn daemon_sets() {
    let set = |wanted: i64, ready: i64| {
        json!({"kind": "DaemonSet", "metadata": {"name": "web", "namespace": "default", "generation": 1},
            "status": {"observedGeneration": 1, "desiredNumberScheduled": wanted, "numberAvailable": ready,
                "updatedNumberScheduled": wanted}})
    };
    World::default().with(set(0, 0)).check("DaemonSet/web", &expect!["DaemonSet web runs nowhere: no node fits its nodeSelector, affinity and tolerations. Label a node so that it fits, or change the template."]);
    World::default().with(set(2, 2)).check(
        "DaemonSet/web",
        &expect!["(well) DaemonSet web is well: its pod is available on each of 2 nodes."],
    );
    World::default()
        .with(node("n1", "2", "4Gi"))
        .with(set(1, 0))
        .with(owned_by(without_image("web-a"), "DaemonSet/web"))
        .check("DaemonSet/web", &expect!["DaemonSet web has its pod available on 0 of 1 node. Pod web-a cannot start its container web: the image example.com/web:1 is not on node n1. Correct the name if it is misspelled, or bring the image to the node with `xebec image import ARCHIVE`; the pod then starts by itself."]);
}

#[test]
fn nodes() {
    World::default().with(node("n1", "2", "4Gi")).with(ready("web")).check("Node/n1", &expect!["(well) Node n1 is well: it has been ready for 10m, and its 1 of 110 pods ask for 0 of 2 CPUs and 0 of 4Gi of memory."]);
    let mut cordoned = node("n1", "2", "4Gi");
    cordoned["spec"] = json!({"unschedulable": true});
    World::default().with(cordoned).check("Node/n1", &expect!["Node n1 is ready but cordoned: its pods stay, and no new ones come. Let pods onto it again with `xctl uncordon n1`."]);
    let mut lost = node("n1", "2", "4Gi");
    lost["status"]["conditions"][0] = json!({"type": "Ready", "status": "Unknown",
        "lastTransitionTime": "2026-11-24T10:08:00Z", "lastHeartbeatTime": "2026-11-24T10:07:00Z"});
    World::default().with(lost).with(ready("web")).check("Node/n1", &expect!["Node n1 has not been heard of for 2m: no master has a session with its agent, and last wrote its status 3m ago. 1 of its pods is not replaced yet. See that `xebec node` runs on n1 and reaches a master. If it is gone for good, `xctl delete node n1` gives it up."]);
    let mut short = node("n1", "2", "4Gi");
    short["status"]["conditions"]
        .as_array_mut()
        .expect("a list")
        .push(json!({"type": "DiskPressure", "status": "True"}));
    World::default().with(short).check(
        "Node/n1",
        &expect![
            "Node n1 is ready but short of disk, and takes no new pods. End pods there or give it more."
        ],
    );
}

fn job(status: &Value) -> Value {
    json!({"kind": "Job", "metadata": {"name": "backup", "namespace": "default"}, "spec": {}, "status": status})
}

#[test]
fn a_job_is_followed_to_its_pod_or_told_to_be_nobodys() {
    World::default().with(job(&json!({}))).check("Job/backup", &expect!["Job backup has been there for 10m, and has started no pod. Xebec may not run Jobs yet: see docs/compatibility.md. `xctl run NAME --image IMAGE --restart Never` runs a pod to its end."]);
    let complete =
        json!({"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": MADE}]});
    World::default()
        .with(job(&complete))
        .check("Job/backup", &expect!["(well) Job backup is well: it has been complete for 10m."]);
    world()
        .with(job(&json!({})))
        .with(owned_by(without_image("backup-x"), "Job/backup"))
        .check("Job/backup", &expect!["Job backup has not run to its end. Pod backup-x cannot start its container web: the image example.com/web:1 is not on node n1. Correct the name if it is misspelled, or bring the image to the node with `xebec image import ARCHIVE`; the pod then starts by itself."]);
    let cron_job = json!({"kind": "CronJob", "metadata": {"name": "nightly", "namespace": "default"},
        "spec": {"schedule": "0 3 * * *"}});
    World::default().with(cron_job.clone()).check("CronJob/nightly", &expect![[r#"CronJob nightly has been there for 10m, and has started no Job. Its schedule is "0 3 * * *", in UTC unless it says otherwise. Xebec may not run CronJobs yet: see docs/compatibility.md. `xctl run NAME --image IMAGE --restart Never` runs a pod to its end."#]]);
    World::default()
        .with(cron_job)
        .with(owned_by(job(&complete), "CronJob/nightly"))
        .check("CronJob/nightly", &expect!["(well) CronJob nightly started Job backup last. Job backup is well: it has been complete for 10m."]);
}

#[test]
fn what_nothing_goes_by_is_not_called_well() {
    let policy =
        json!({"kind": "NetworkPolicy", "metadata": {"name": "closed", "namespace": "default"}, "spec": {}});
    World::default().with(policy).check("NetworkPolicy/closed", &expect!["NetworkPolicy closed is kept, and nothing goes by it: all traffic passes, whatever it says. Xebec may not have what NetworkPolicy is for yet: see docs/compatibility.md."]);
}
