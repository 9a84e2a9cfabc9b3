//! HorizontalPodAutoscalers.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn horizontal_pod_autoscalers() {
    let autoscaler = named(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({"spec": {"minReplicas": 3, "maxReplicas": 2,
        "scaleTargetRef": {"kind": "Deployment", "name": ""}}}),
    );
    expect![[r#"
        spec.scaleTargetRef.name: Required value
        spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`
    "#]]
    .assert_eq(&refused(&autoscaler));
}
