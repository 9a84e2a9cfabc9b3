//! Roles and what binds them.

use expect_test::expect;
use serde_json::json;

use super::super::{change_refused, refused};
use super::named;

#[test]
fn rbac() {
    let role = named(
        "rbac.authorization.k8s.io/v1",
        "Role",
        json!({"rules": [{"verbs": []}, {"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
    );
    expect![[r#"
        rules[0].verbs: Required value: verbs must contain at least one value
        rules[0].apiGroups: Required value: resource rules must supply at least one api group
        rules[0].resources: Required value: resource rules must supply at least one resource
        rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs
    "#]]
    .assert_eq(&refused(&role));
    let binding = |role: &str| {
        named(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"roleRef": {"kind": role, "name": "a"},
            "subjects": [{"kind": "User", "name": ""}, {"kind": "ServiceAccount", "name": "a"}, {"kind": "Robot", "name": "b"}]}),
        )
    };
    expect![[r#"
        roleRef.kind: Unsupported value: "Deployment": supported values: "ClusterRole", "Role"
        subjects[0].name: Required value
        subjects[1].namespace: Required value
        subjects[2].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"
    "#]]
    .assert_eq(&refused(&binding("Deployment")));
    expect![[r#"
        roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"a"}: cannot change roleRef
    "#]].assert_eq(&change_refused(&binding("Role"), &binding("ClusterRole")));
}
