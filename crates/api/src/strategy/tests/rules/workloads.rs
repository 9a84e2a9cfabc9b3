//! Deployments, ReplicaSets, DaemonSets, Jobs and ReplicationControllers.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn workloads() {
    let template = json!({"metadata": {"labels": {"app": "b"}}, "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}});
    let deployment = named(
        "apps/v1",
        "Deployment",
        json!({"spec": {"replicas": -1, "minReadySeconds": 700,
        "selector": {"matchLabels": {"app": "a"}}, "template": template,
        "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}}),
    );
    expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds
        spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0
        spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
    "#]]
    .assert_eq(&refused(&deployment));
    let empty = named("apps/v1", "ReplicaSet", json!({"spec": {"selector": {}, "template": {}}}));
    expect![[r#"
        spec.selector: Invalid value: {}: empty selector is invalid: it would select every pod
        spec.template.spec.containers: Required value
    "#]]
    .assert_eq(&refused(&empty));
    let daemon_set = named(
        "apps/v1",
        "DaemonSet",
        json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": template,
        "updateStrategy": {"type": "Recreate"}}}),
    );
    expect![[r#"
        spec.updateStrategy.type: Unsupported value: "Recreate": supported values: "OnDelete", "RollingUpdate"
        spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
    "#]]
    .assert_eq(&refused(&daemon_set));
    let job = named(
        "batch/v1",
        "Job",
        json!({"spec": {"completionMode": "Indexed", "parallelism": 2,
        "template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}}),
    );
    expect![[r#"
        spec.completions: Required value: when completion mode is Indexed
        spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never"
    "#]]
    .assert_eq(&refused(&job));
    let recreate = json!({"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}},
        "spec": {"containers": [{"name": "a", "image": "b"}]}}, "strategy": {"type": "Recreate", "rollingUpdate": {}}}});
    expect![[r#"
        spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'
    "#]]
    .assert_eq(&refused(&named("apps/v1", "Deployment", recreate)));
}

#[test]
fn replication_controllers() {
    let controller = named(
        "v1",
        "ReplicationController",
        json!({"spec": {"selector": {"a": "b"}, "template":
        {"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}}}),
    );
    expect![[r#"
        spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`
    "#]]
    .assert_eq(&refused(&controller));
}
