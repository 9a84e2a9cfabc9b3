//! Documents hold together, and hold what clients look for.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::Value;

use super::*;

fn document(path: &str) -> Value {
    let of = group_versions().into_iter().find(|of| of.path() == path).expect("a group and version");
    v3(of, "v1.35.4")
}

#[test]
fn every_row_is_described_somewhere() {
    let paths: Vec<String> = group_versions().into_iter().map(GroupVersion::path).collect();
    assert_eq!(
        paths[..3],
        ["api/v1", "apis/admissionregistration.k8s.io/v1", "apis/apiextensions.k8s.io/v1"]
    );
    for row in table::all() {
        let document = document(&GroupVersion::of(row).path());
        let within = if row.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("/{}{within}/{}/{{name}}", GroupVersion::of(row).path(), row.plural);
        let patch = &document["paths"][&path]["patch"];
        let kind = json!({"group": row.group, "version": row.versions[0], "kind": row.kind});
        assert_eq!(patch["x-kubernetes-group-version-kind"], kind, "{path}");
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let of_kind = schemas.values().filter(|schema| {
            schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(&kind))
        });
        assert_eq!(of_kind.count(), 1, "{path}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn gather<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| gather(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| gather(value, found)),
            _ => {}
        }
    }
    for of in group_versions() {
        let document = v3(of, "");
        let mut found = BTreeSet::new();
        gather(&document, &mut found);
        assert!(found.len() > 5, "{of:?}");
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").expect("a schema");
            assert!(document["components"]["schemas"][name].is_object(), "{of:?}: {reference}");
        }
    }
}

#[test]
fn fields_say_how_they_are_merged() {
    let document = document("apis/apps/v1");
    let container = &document["components"]["schemas"]["io.k8s.api.core.v1.Container"];
    expect![[r##"
        {
          "description": "Ports that it listens on, so that others can name them. One that is not listed can be reached as well.",
          "items": {
            "$ref": "#/components/schemas/io.k8s.api.core.v1.ContainerPort"
          },
          "type": "array",
          "x-kubernetes-list-map-keys": [
            "containerPort",
            "protocol"
          ],
          "x-kubernetes-list-type": "map",
          "x-kubernetes-patch-merge-key": "containerPort",
          "x-kubernetes-patch-strategy": "merge"
        }"##]]
    .assert_eq(&format!("{:#}", container["properties"]["ports"]));
    expect![[r#"
        {
          "description": "When the image is fetched: IfNotPresent, or Always, which is the default of the tag latest.",
          "enum": [
            "Always",
            "IfNotPresent",
            "Never"
          ],
          "type": "string"
        }"#]]
    .assert_eq(&format!("{:#}", container["properties"]["imagePullPolicy"]));
    expect![[r##"
        {
          "allOf": [
            {
              "$ref": "#/components/schemas/io.k8s.api.core.v1.Probe"
            }
          ],
          "description": "While this fails, Services send nothing here."
        }"##]]
    .assert_eq(&format!("{:#}", container["properties"]["readinessProbe"]));
    assert_eq!(container["required"], json!(["name"]));
}

#[test]
fn patches_say_what_they_take() {
    let document = document("api/v1");
    let patch = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
    let queries: Vec<&str> = patch["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    assert_eq!(queries, ["dryRun", "fieldManager", "fieldValidation"]);
    let types: Vec<&String> = patch["requestBody"]["content"].as_object().expect("types").keys().collect();
    assert_eq!(
        types,
        [
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json"
        ]
    );
    let eviction = &document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/eviction"]["post"];
    assert_eq!(eviction["x-kubernetes-group-version-kind"]["kind"], "Eviction");
}

#[test]
fn texts_are_about_what_there_is() {
    for of in crate::facts::all() {
        for field in &of.fields {
            let text = texts::of(of.name, field.name);
            assert!(text.is_none_or(|text| text.ends_with('.')), "{}.{}", of.name, field.name);
        }
    }
    assert!(texts::unknown().is_empty(), "texts about nothing: {:?}", texts::unknown());
}
