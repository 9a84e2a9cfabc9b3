//! ConfigMaps and Secrets.

use expect_test::expect;
use serde_json::json;

use super::super::{change_refused, refused};
use super::named;

#[test]
fn config_maps_and_secrets() {
    let map = named("v1", "ConfigMap", json!({"data": {"a b": "c", "d": "e"}, "binaryData": {"d": "ZQ=="}}));
    expect![[r#"
        data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')
        binaryData[d]: Invalid value: "ZQ==": duplicate of key present in data
    "#]].assert_eq(&refused(&map));
    let large = named("v1", "ConfigMap", json!({"data": {"a": "x".repeat(1 << 20)}}));
    expect![[r#"
        data: Too long: may not be more than 1048576 bytes
    "#]]
    .assert_eq(&refused(&large));
    let tls = named("v1", "Secret", json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "ZQ=="}}));
    expect![[r#"
        data[tls.key]: Required value
    "#]]
    .assert_eq(&refused(&tls));
    let old = named("v1", "Secret", json!({"immutable": true, "data": {"a": "ZQ=="}}));
    let new = named("v1", "Secret", json!({"type": "x", "stringData": {"a": "other"}}));
    expect![[r#"
        type: Invalid value: "x": field is immutable
        immutable: Forbidden: field is immutable when `immutable` is set
        data: Forbidden: field is immutable when `immutable` is set
    "#]]
    .assert_eq(&change_refused(&new, &old));
}
