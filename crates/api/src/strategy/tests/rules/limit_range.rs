//! LimitRanges.

use expect_test::expect;
use serde_json::json;

use super::super::{admitted, refused};
use super::named;

#[test]
fn limit_ranges() {
    let range = |limits| named("v1", "LimitRange", json!({"spec": {"limits": limits}}));
    let wrong = json!([
        {"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}, "default": {"cpu": "3"}},
        {"type": "Pod", "default": {"cpu": "1"}}, {"type": "Pod"}]);
    expect![[r#"
        spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1
        spec.limits[0].defaultRequest[cpu]: Invalid value: "3": default request value 3 is greater than max value 1
        spec.limits[0].default[cpu]: Invalid value: "3": default value 3 is greater than max value 1
        spec.limits[1].default: Forbidden: may not be specified when `type` is 'Pod'
        spec.limits[2].type: Duplicate value: "Pod"
    "#]]
    .assert_eq(&refused(&range(wrong)));
    let made =
        admitted(&range(json!([{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"}}])));
    let wanted = json!([{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"},
        "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2", "memory": "1Mi"}}]);
    assert_eq!(made.get(&["spec", "limits"]), Some(&wanted));
}
