//! CustomResourceDefinitions.

use expect_test::expect;
use serde_json::json;

use super::super::refused;

#[test]
fn custom_resource_definitions() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"},
        "spec": {"group": "a.io", "scope": "Everywhere", "names": {"plural": "boats", "kind": "Boat"}, "versions": []}});
    expect![[r#"
        spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"
        metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group: boats.a.io
        spec.versions: Invalid value: []: must have exactly one version marked as storage version
    "#]]
    .assert_eq(&refused(&definition));
}
