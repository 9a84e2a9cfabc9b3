//! Namespaces.

use expect_test::expect;
use serde_json::json;

use super::super::refused;

#[test]
fn a_level_of_pod_security_is_one_that_there_is() {
    let namespace = |level: &str| {
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": labels}})
    };
    expect![[r#"
        metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted
    "#]]
    .assert_eq(&refused(&namespace("strict")));
    assert_eq!(refused(&namespace("restricted")), "");
}
