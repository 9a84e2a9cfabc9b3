//! Three versions in, one out.

use serde_json::json;

use super::*;

fn object(value: Value) -> Object {
    match value {
        Value::Object(map) => Object::from_map(map),
        other => panic!("no object: {other}"),
    }
}

/// Applies `last`, lets the cluster do its part, applies `now`: the spec that results.
fn spec(last: &Value, live: &Value, now: &Value) -> Value {
    let manifest = |spec: &Value| object(json!({"kind": "X", "metadata": {"name": "x"}, "spec": spec}));
    let mut in_cluster = with_annotation(&manifest(last));
    in_cluster.set(&["spec"], live.clone());
    let merged = apply(&manifest(now), &in_cluster);
    assert_eq!(merged.annotation(LAST_APPLIED), Some(annotation(&manifest(now)).as_str()));
    merged.get(&["spec"]).cloned().unwrap_or_default()
}

#[test]
fn what_others_set_stays_and_what_the_manifest_drops_goes() {
    let merged = spec(
        &json!({"a": 1, "b": {"c": 1, "d": 1}}),
        &json!({"a": 5, "b": {"c": 1, "d": 1, "defaulted": true}, "by_others": 9}),
        &json!({"a": 2, "b": {"c": 1}}),
    );
    assert_eq!(merged, json!({"a": 2, "b": {"c": 1, "defaulted": true}, "by_others": 9}));
}

#[test]
fn containers_are_merged_by_name() {
    let merged = spec(
        &json!({"containers": [{"name": "web", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "old"}]}),
        &json!({"containers": [
            {"name": "injected", "image": "i"},
            {"name": "web", "image": "a:1", "imagePullPolicy": "IfNotPresent",
             "env": [{"name": "X", "value": "1"}, {"name": "THEIRS", "value": "2"}]},
            {"name": "old"}]}),
        &json!({"containers": [{"name": "web", "image": "a:2"}]}),
    );
    let web = json!({"name": "web", "image": "a:2", "imagePullPolicy": "IfNotPresent"});
    // `env` went as a whole: the manifest no longer names it, as in kubectl.
    assert_eq!(merged, json!({"containers": [web, {"name": "injected", "image": "i"}]}));
}

#[test]
fn a_services_node_port_survives() {
    let merged = spec(
        &json!({"ports": [{"port": 80}]}),
        &json!({"ports": [{"port": 80, "protocol": "TCP", "nodePort": 31234, "targetPort": 80}]}),
        &json!({"ports": [{"port": 80, "name": "http"}, {"port": 80, "protocol": "UDP"}]}),
    );
    let first = json!({"port": 80, "protocol": "TCP", "nodePort": 31234, "targetPort": 80, "name": "http"});
    assert_eq!(merged, json!({"ports": [first, {"port": 80, "protocol": "UDP"}]}));
}

#[test]
fn lists_without_keys_are_replaced_and_null_removes() {
    let merged = spec(
        &json!({"args": ["a"]}),
        &json!({"args": ["a", "b"], "replicas": 3}),
        &json!({"args": ["c"], "replicas": null}),
    );
    assert_eq!(merged, json!({"args": ["c"]}));
}

#[test]
fn applying_twice_changes_nothing() {
    let manifest = object(json!({"kind": "X", "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"ports": [{"port": 1}]}}));
    let created = with_annotation(&manifest);
    assert_eq!(apply(&manifest, &created), created);
}
