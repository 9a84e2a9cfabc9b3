//! A pod's volumes: files that stand within them, one kind in each source.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::pod;

#[test]
fn files_in_volumes_stand_within_them() {
    let field = json!({"fieldPath": "metadata.name"});
    let amount = json!({"containerName": "a", "resource": "limits.cpu"});
    let pod = pod(json!({"containers": [{"name": "a", "image": "b", "volumeMounts": [
            {"name": "c", "mountPath": "/c", "subPath": "x", "subPathExpr": "y"},
            {"name": "c", "mountPath": "/d", "subPath": "x"}, {"name": "c", "mountPath": "/e", "subPathExpr": "y"}]}],
        "volumes": [
            {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "a/../b"}, {"key": "k", "path": "..data"}]}},
            {"name": "s", "secret": {"secretName": "s", "items": [{"key": "k", "path": "../b"}, {"key": "k", "path": "a/..b"}]}},
            {"name": "d", "downwardAPI": {"defaultMode": 512, "items": [
                {"path": "name", "fieldRef": field}, {"path": "/cpu", "resourceFieldRef": amount},
                {"path": "", "fieldRef": field, "resourceFieldRef": amount}, {"path": "x", "mode": 512}]}},
            {"name": "p", "projected": {"sources": [
                {"secret": {"name": "s", "items": [{"key": "k", "path": "/k"}]}, "configMap": {"name": "c"}},
                {"configMap": {"name": ""}},
                {"downwardAPI": {"items": [{"path": "a/..", "fieldRef": field}]}},
                {"serviceAccountToken": {"path": "../token"}},
                {"serviceAccountToken": {"path": "token"}}]}}]}));
    expect![[r#"
        spec.volumes[0].configMap.items[0].path: Invalid value: "a/../b": must not contain '..'
        spec.volumes[0].configMap.items[1].path: Invalid value: "..data": must not start with '..'
        spec.volumes[1].secret.items[0].path: Invalid value: "../b": must not contain '..'
        spec.volumes[2].downwardAPI.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive
        spec.volumes[2].downwardAPI.path: Invalid value: "/cpu": must be a relative path
        spec.volumes[2].downwardAPI.path: Required value
        spec.volumes[2].downwardAPI: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously
        spec.volumes[2].downwardAPI: Required value: one of fieldRef and resourceFieldRef is required
        spec.volumes[2].downwardAPI.mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive
        spec.volumes[3].projected.sources[0].secret.items[0].path: Invalid value: "/k": must be a relative path
        spec.volumes[3].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source
        spec.volumes[3].projected.sources[1].configMap.name: Required value
        spec.volumes[3].projected.sources[2].downwardAPI.path: Invalid value: "a/..": must not contain '..'
        spec.volumes[3].projected.path: Invalid value: "../token": must not contain '..'
        spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: "y": subPathExpr and subPath are mutually exclusive
    "#]]
    .assert_eq(&refused(&pod));
}
