//! ResourceQuotas.

use expect_test::expect;
use serde_json::json;

use super::super::{change_refused, refused};
use super::named;

#[test]
fn resource_quotas() {
    let quota = |spec| named("v1", "ResourceQuota", json!({"spec": spec}));
    let wrong = json!({"hard": {"pods": "-1", "a b": "1"}, "scopes": ["Sometimes"],
        "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Near"}]}});
    expect![[r#"
        spec.hard[a b]: Invalid value: "1": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
        spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0
        spec.scopes[0]: Unsupported value: "Sometimes": supported values: "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating"
        spec.scopeSelector.matchExpressions[0].operator: Unsupported value: "Near": supported values: "DoesNotExist", "Exists", "In", "NotIn"
    "#]]
    .assert_eq(&refused(&quota(wrong)));
    let of = |scopes| quota(json!({"hard": {"pods": "1"}, "scopes": scopes}));
    expect![[r#"
        spec.scopes: Invalid value: ["Terminating"]: field is immutable
    "#]]
    .assert_eq(&change_refused(&of(json!(["Terminating"])), &of(json!(["BestEffort"]))));
}
