//! PodDisruptionBudgets.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn a_budget_is_one_number_or_one_share() {
    let budget = |spec| named("policy/v1", "PodDisruptionBudget", json!({"spec": spec}));
    let wrong = json!({"minAvailable": "101%", "maxUnavailable": -1, "unhealthyPodEvictionPolicy": "Maybe",
        "selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}});
    expect![[r#"
        spec: Invalid value: {"maxUnavailable":-1,"minAvailable":"101%","selector":{"matchExpressions":[{"key":"a","operator":"Near"}]},"unhealthyPodEvictionPolicy":"Maybe"}: minAvailable and maxUnavailable cannot be both set
        spec.minAvailable: Invalid value: "101%": must not be greater than 100%
        spec.maxUnavailable: Invalid value: -1: must be greater than or equal to 0
        spec.selector.matchExpressions[0].operator: Unsupported value: "Near": supported values: "In", "NotIn", "Exists", "DoesNotExist"
        spec.unhealthyPodEvictionPolicy: Unsupported value: "Maybe": supported values: "AlwaysAllow", "IfHealthyBudget"
    "#]]
    .assert_eq(&refused(&budget(wrong)));
    assert_eq!(refused(&budget(json!({"maxUnavailable": "25%", "selector": {}}))), "");
}
