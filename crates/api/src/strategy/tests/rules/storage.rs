//! PersistentVolumeClaims, StorageClasses and PriorityClasses.

use expect_test::expect;
use serde_json::{Value, json};

use super::super::{change_refused, refused};
use super::named;

fn claim(spec: Value) -> Value {
    named("v1", "PersistentVolumeClaim", json!({"spec": spec}))
}

#[test]
fn claims() {
    expect![[r#"
        spec.accessModes: Required value: at least 1 access mode is required
        spec.resources[storage]: Required value
    "#]]
    .assert_eq(&refused(&claim(json!({}))));
    let wrong = json!({"accessModes": ["ReadWriteOncePod", "Sometimes"], "volumeMode": "Tape",
        "resources": {"requests": {"storage": "0"}}});
    expect![[r#"
        spec.accessModes[1]: Unsupported value: "Sometimes": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"
        spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes
        spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"
        spec.resources[storage]: Invalid value: "0": must be greater than zero
    "#]]
    .assert_eq(&refused(&claim(wrong)));
    let of = |size: &str, volume: &str| {
        let mut spec =
            json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}});
        if !volume.is_empty() {
            spec["volumeName"] = volume.into();
        }
        claim(spec)
    };
    assert_eq!(change_refused(&of("1Gi", "v"), &of("1Gi", "")), "", "it may be given a volume");
    expect![[r#"
        spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims
    "#]]
    .assert_eq(&change_refused(&of("2Gi", ""), &of("1Gi", "")));
}

#[test]
fn storage_classes() {
    let class = |rest: Value| named("storage.k8s.io/v1", "StorageClass", rest);
    expect![[r#"
        provisioner: Required value
        reclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Retain"
    "#]]
    .assert_eq(&refused(&class(json!({"reclaimPolicy": "Keep"}))));
    let (old, new) = (
        json!({"provisioner": "a"}),
        json!({"provisioner": "b", "volumeBindingMode": "WaitForFirstConsumer"}),
    );
    expect![[r#"
        provisioner: Forbidden: updates to provisioner are forbidden.
        volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable
    "#]]
    .assert_eq(&change_refused(&class(new), &class(old)));
}

#[test]
fn priority_classes() {
    let class = |value: i64| named("scheduling.k8s.io/v1", "PriorityClass", json!({"value": value}));
    let mut system = class(1_000_000_001);
    system["metadata"]["name"] = "system-mine".into();
    expect![[r#"
        metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only
        value: Forbidden: maximum allowed value of a user defined priority is 1000000000
    "#]]
    .assert_eq(&refused(&system));
    expect![[r#"
        value: Forbidden: may not be changed in an update.
    "#]]
    .assert_eq(&change_refused(&class(2), &class(1)));
}
