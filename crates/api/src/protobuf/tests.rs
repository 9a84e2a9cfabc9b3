//! Bodies as clients send them, and as nobody should. The twins of JSON and protobuf that
//! Kubernetes publishes are compared in `tests/tests/protobuf.rs`.

mod encode;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A body of this kind around the bytes of a message.
fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [encode::bytes(1, api_version.as_bytes()), encode::bytes(2, kind.as_bytes())].concat();
    [MAGIC.to_vec(), encode::bytes(1, &type_meta), encode::bytes(2, raw)].concat()
}

fn told(body: &[u8]) -> String {
    decode(body).expect_err("refused").to_string()
}

#[test]
fn every_form_of_a_value_is_read() {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "web", "creationTimestamp": "2026-11-24T10:00:00Z", "labels": {"app": "web", "empty": ""},
            "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]},
        "spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8080}],
            "internalTrafficPolicy": "", "clusterIPs": ["10.43.0.9"]},
    });
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "immutable": false,
        "data": {"key": "AAEC", "none": ""}, "type": "Opaque"});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
        "securityContext": {"runAsUser": 0, "supplementalGroups": [0, -1]},
        "containers": [{"name": "a", "ports": [{"containerPort": 0}], "resources": {"limits": {"cpu": "500m"}},
            "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 3}}],
        "volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]}});
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"},
        "spec": {"renewTime": "2026-11-24T10:00:00.000010Z", "leaseTransitions": 0}});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "a"},
        "spec": {"versions": [{"name": "v1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {
            "$ref": "#/a", "maximum": 1.5, "default": {"a": [1]}, "additionalProperties": true,
            "items": {"type": "string", "x-kubernetes-int-or-string": true},
            "properties": {"p": {"additionalProperties": {"type": "string"}, "items": [{"type": "object"}]}},
            "dependencies": {"d": ["a", "b"], "e": {"type": "object"}}}}}]}});
    for object in [service, secret, pod, lease, definition] {
        let (api_version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
        let (api_version, kind) = (api_version.expect("a version"), kind.expect("a kind"));
        let of = facts::of_kind(api_version, kind).expect("facts");
        let body = body(api_version, kind, &encode::message(of, &object));
        assert_eq!(decode(&body).map(Value::Object), Ok(object.clone()), "{kind}");
    }
}

#[test]
fn a_zero_that_go_always_sends_is_left_out() {
    let port =
        [encode::bytes(1, b""), encode::varint(2, 0), encode::varint(3, 0), encode::bytes(4, b"")].concat();
    let container = [encode::bytes(1, b"a"), encode::bytes(6, &port)].concat();
    let pod = encode::bytes(2, &[encode::bytes(2, &container), encode::varint(4, 0)].concat());
    let decoded = decode(&body("v1", "Pod", &pod)).expect("a pod");
    let wanted = json!({"apiVersion": "v1", "kind": "Pod",
        "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 0}]}], "terminationGracePeriodSeconds": 0}});
    assert_eq!(Value::Object(decoded), wanted);
}

#[test]
fn options_of_a_delete_are_of_every_group() {
    let options = [encode::varint(1, 0), encode::bytes(4, b"Foreground")].concat();
    let decoded = decode(&body("apps/v1", "DeleteOptions", &options)).expect("options");
    let wanted = json!({"apiVersion": "apps/v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Foreground"});
    assert_eq!(Value::Object(decoded), wanted);
}

#[test]
fn what_cannot_be_read_is_told() {
    assert_eq!(told(b"{}"), "does not begin with k8s\\0");
    assert_eq!(told(&body("v1", "Nonsense", b"")), "no kind \"Nonsense\" is registered for version \"v1\"");
    assert_eq!(told(&body("v1", "Pod", &[0x0a, 0x05, 0x01])), "ends in the middle of a field");
    assert_eq!(told(&body("v1", "Pod", &[0xff])), "broken protobuf");
    assert_eq!(
        told(&body("v1", "Pod", &encode::varint(2, 1))),
        "spec: sent as another type than this field has"
    );
    let name = encode::bytes(1, &encode::bytes(1, &[0xff]));
    assert_eq!(told(&body("v1", "Pod", &name)), "metadata.name: a text that is no UTF-8");
    let port = encode::bytes(6, &encode::varint(2, 1 << 40));
    let pod = encode::bytes(2, &encode::bytes(2, &port));
    assert_eq!(
        told(&body("v1", "Pod", &pod)),
        "spec.containers.ports.hostPort: a number of more than 32 bits"
    );
    let time = encode::bytes(1, &encode::bytes(8, &encode::varint(1, u64::MAX >> 1)));
    assert_eq!(told(&body("v1", "Pod", &time)), "metadata.creationTimestamp: no point in time");
    let encoded = [body("v1", "Pod", b""), encode::bytes(3, b"gzip")].concat();
    assert_eq!(told(&encoded), "the object is encoded once more, which is not supported");
}

#[test]
fn messages_cannot_lie_in_one_another_without_an_end() {
    let mut schema = Vec::new();
    for _ in 0..1000 {
        schema = encode::bytes(28, &schema);
    }
    let of = facts::get("apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps").expect("facts");
    let error = message::decode(of, &schema).expect_err("refused");
    assert_eq!(error.message, "nested too deep");
}

proptest! {
    #[test]
    fn nothing_that_is_sent_ends_in_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in ["Pod", "Service", "Secret", "Event"] {
            let _ = decode(&body("v1", kind, &bytes));
        }
        let _ = decode(&[MAGIC, &bytes].concat());
    }

    #[test]
    fn a_broken_pod_ends_in_no_panic(at in 0..200_usize, byte in any::<u8>()) {
        let of = facts::of_kind("v1", "Pod").expect("facts");
        let pod = json!({"metadata": {"name": "a", "creationTimestamp": "2026-11-24T10:00:00Z"},
            "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1}], "resources": {"limits": {"cpu": "1"}}}]}});
        let mut message = encode::message(of, &pod);
        let length = message.len();
        message[at % length] = byte;
        let _ = decode(&body("v1", "Pod", &message));
    }
}
