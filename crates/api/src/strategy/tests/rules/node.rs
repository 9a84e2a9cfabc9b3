//! Nodes.

use expect_test::expect;
use serde_json::json;

use super::super::refused;

#[test]
fn nodes() {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [
        {"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule", "value": "x"}, {"effect": "Maybe"}]}});
    expect![[r#"
        spec.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a","value":"x"}
        spec.taints[2].key: Required value
        spec.taints[2].effect: Unsupported value: "Maybe": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"
    "#]].assert_eq(&refused(&node));
}
