//! ConfigMaps, Secrets, claims, namespaces and kinds of which nothing special is known.

use expect_test::expect;
use serde_json::json;

use super::super::absent;
use super::{Facts, World, pod, ready};

fn map() -> serde_json::Value {
    json!({"kind": "ConfigMap", "metadata": {"name": "web", "namespace": "default"}, "data": {"color": "red"}})
}

#[test]
fn who_uses_a_config_map() {
    World::default().with(map()).with(pod("idle")).check(
        "ConfigMap/web",
        &expect!["(well) ConfigMap web has 1 key, and nothing in namespace default uses it."],
    );
    let mut using = pod("box");
    using["spec"]["volumes"] =
        json!([{"name": "v", "projected": {"sources": [{"configMap": {"name": "web"}}]}}]);
    let template =
        json!({"spec": {"containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "web"}}]}]}});
    let deployment = json!({"kind": "Deployment", "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"template": template}});
    World::default().with(map()).with(using.clone()).with(deployment).check("ConfigMap/web", &expect!["(well) ConfigMap web is well: it has 1 key, with all that is asked of it. It is used by Deployment shop and Pod box."]);
    using["spec"]["containers"][0]["env"] =
        json!([{"name": "C", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "colour"}}}]);
    World::default().with(map()).with(using).check("ConfigMap/web", &expect!["ConfigMap web has 1 key, but not colour, which Pod box asks for. It is used by Pod box. Add the key colour, or correct it in Pod box."]);
}

#[test]
fn a_claim_that_waits() {
    let claim = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"}});
    World::default().with(claim.clone()).check("PersistentVolumeClaim/data", &expect!["PersistentVolumeClaim data has been Pending for 10m: its storage class fast is not there. Create the StorageClass fast, or name another."]);
    let mut user = pod("db");
    user["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    let class = json!({"kind": "StorageClass", "metadata": {"name": "fast"}});
    World::default().with(claim).with(class).with(user).check("PersistentVolumeClaim/data", &expect!["PersistentVolumeClaim data has been Pending for 10m: no free volume of class fast has 1Gi, and nothing here makes volumes on demand. Waiting for it: db. Create a PersistentVolume that fits; if the data may go with the pod, an emptyDir does."]);
}

#[test]
fn a_namespace_that_does_not_go() {
    let going = json!({"kind": "Namespace", "metadata": {"name": "old", "deletionTimestamp": "2026-11-24T10:05:00Z"}});
    let held = json!({"kind": "ConfigMap", "metadata": {"name": "kept", "namespace": "old",
        "deletionTimestamp": "2026-11-24T10:05:00Z", "finalizers": ["example.com/keep"]}});
    World::default().with(going.clone()).with(held).check("Namespace/old", &expect![[r#"Namespace old has been terminating for 5m: it goes when what is in it has gone, which are configmaps kept. ConfigMap kept was deleted 5m ago and is still here. It is held by the finalizer example.com/keep, which whoever set it has to take away. See to it that its controller runs; if there is none any more, `xctl patch configmap kept --type merge -p '{"metadata":{"finalizers":null}}'` lets it go."#]]);
    World::default().with(going).check(
        "Namespace/old",
        &expect![
            "Namespace old has been terminating for 5m, and nothing is left in it: it goes in a moment."
        ],
    );
    World::default()
        .with(json!({"kind": "Namespace", "metadata": {"name": "new"}}))
        .check("Namespace/new", &expect!["(well) Namespace new is well: it has been there for 10m."]);
}

#[test]
fn other_kinds() {
    let job = |conditions: serde_json::Value| json!({"kind": "Job", "metadata": {"name": "sum", "namespace": "default"}, "status": {"conditions": conditions}});
    let failed =
        json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": ""}]);
    World::default()
        .with(job(failed))
        .check("Job/sum", &expect!["Job sum has failed: BackoffLimitExceeded."]);
    World::default().with(job(json!([]))).check(
        "Job/sum",
        &expect!["Job sum has been there for 10m, and has started no pod. Xebec may not run Jobs yet: see docs/compatibility.md. `xctl run NAME --image IMAGE --restart Never` runs a pod to its end."],
    );
}

#[test]
fn what_is_not_there() {
    let mut user = pod("box");
    user["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "webs"}}]);
    let world = World::default().with(map()).with(user).with(ready("web-1"));
    let mut facts = Facts::new(0);
    for kind in ["ConfigMap", "Pod"] {
        facts.learn(kind, world.objects.iter().filter(|object| object.kind() == kind).cloned().collect());
    }
    expect!["There is one named web. Pod box asks for it."]
        .assert_eq(&absent(&facts, "ConfigMap", "default", "webs").join(" "));
    expect!["There is one named web-1."].assert_eq(&absent(&facts, "Pod", "default", "wbe-1").join(" "));
    assert!(absent(&facts, "Pod", "default", "database").is_empty());
}

#[test]
fn the_form_for_programs() {
    let world = World::default().with(map());
    expect![[r#"{"fixes":[],"healthy":true,"reasons":["ConfigMap web has 1 key, and nothing in namespace default uses it."],"subject":"ConfigMap/web"}"#]].assert_eq(&world.answer("ConfigMap", "web").to_json().to_string());
}
