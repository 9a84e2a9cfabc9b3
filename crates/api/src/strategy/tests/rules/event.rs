//! Events.

use expect_test::expect;
use serde_json::json;

use super::super::refused;
use super::named;

#[test]
fn events() {
    let event = named(
        "v1",
        "Event",
        json!({"involvedObject": {"kind": "Pod", "namespace": "elsewhere", "name": "a"}}),
    );
    expect![[r#"
        involvedObject.namespace: Invalid value: "elsewhere": does not match event.namespace
    "#]]
    .assert_eq(&refused(&event));
}
