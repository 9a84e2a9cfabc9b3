//! Strict decoding: what an object says beside what its type knows, with a guess at what
//! was meant, and quantities brought into their canonical form.
//!
//! One walk over the JSON with the type's own `Deserialize`: a `k8s-openapi` struct names its
//! fields when it is decoded, so that unknown ones are found without a second schema.

mod deserializer;
mod place;

use k8s_openapi::serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use place::{Place, Step};

use crate::error::FieldError;
use crate::object::Object;
use crate::quantity::Quantity;
use crate::resource::Resource;

/// What [`inspect`] found in an object that decodes.
#[derive(Debug, Default)]
pub struct Findings {
    /// One error per field that the type does not have, of the first hundred:
    /// `spec.replcas: unknown field (did you mean "replicas"?)`.
    pub unknown: Vec<FieldError>,
    /// JSON pointers of those fields, of all of them.
    unknown_pointers: Vec<String>,
    /// JSON pointers of all quantities.
    quantities: Vec<String>,
}

/// Decodes an object as `T`, dropping the result: the paths of the fields that `T` does not
/// have, such as `spec.template.spec.containers[0].imag`.
///
/// # Errors
/// The first field of a wrong type.
pub fn strict<T: DeserializeOwned>(object: &Object) -> Result<Vec<String>, FieldError> {
    let value = Value::Object(object.as_map().clone());
    inspect::<T>(&value).map(|findings| findings.unknown.into_iter().map(|error| error.field).collect())
}

/// Decodes an object's JSON as `T`, dropping the result.
///
/// # Errors
/// The first field of a wrong type.
pub fn inspect<T: DeserializeOwned>(value: &Value) -> Result<Findings, FieldError> {
    deserializer::walk::<T>(value)
}

/// Makes what a client sent fit to be defaulted and stored: drops nulls (which mean "not
/// given" for every built-in kind) and writes quantities canonically. Gives the unknown
/// fields, for the caller to refuse or to warn about.
///
/// # Errors
/// The first field of a wrong type.
pub fn decode(row: &Resource, object: &mut Object) -> Result<Vec<FieldError>, FieldError> {
    decode_with(row, object, false)
}

/// As [`decode`], and drops the unknown fields that it gives.
///
/// # Errors
/// The first field of a wrong type.
pub fn decode_known(row: &Resource, object: &mut Object) -> Result<Vec<FieldError>, FieldError> {
    decode_with(row, object, true)
}

fn decode_with(row: &Resource, object: &mut Object, known_only: bool) -> Result<Vec<FieldError>, FieldError> {
    let mut value = std::mem::take(object).into_value();
    drop_nulls_in(&mut value);
    let findings = (row.inspect)(&value);
    for pointer in findings.iter().flat_map(|findings| &findings.quantities) {
        canonical_quantity(&mut value, pointer);
    }
    for pointer in findings.iter().flat_map(|findings| &findings.unknown_pointers).filter(|_| known_only) {
        remove(&mut value, pointer);
    }
    if let Value::Object(map) = value {
        *object = Object::from_map(map);
    }
    findings.map(|findings| findings.unknown).map_err(|error| without_secrets(row, error))
}

/// Takes a field out by its JSON pointer.
fn remove(root: &mut Value, pointer: &str) {
    let Some((parent, field)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(map)) = root.pointer_mut(parent) {
        map.remove(&field.replace("~1", "/").replace("~0", "~"));
    }
}

/// An error repeats the value that is wrong, which a Secret's must not be.
fn without_secrets(row: &Resource, error: FieldError) -> FieldError {
    let inside = error.field.starts_with("data[") || error.field.starts_with("stringData[");
    let wanted = match error.field.as_str() {
        "data" | "stringData" => "a map of keys and values",
        _ if inside => "a string; put quotes around it",
        _ => return error,
    };
    if row.kind == "Secret" && error.message.starts_with("invalid ") {
        return FieldError { message: format!("invalid type: expected {wanted}"), ..error };
    }
    error
}

fn canonical_quantity(root: &mut Value, pointer: &str) {
    let Some(slot) = root.pointer_mut(pointer) else { return };
    let text = slot.as_str().map_or_else(|| slot.to_string(), str::to_owned);
    if let Ok(quantity) = Quantity::parse(&text) {
        *slot = Value::String(quantity.to_string());
    }
}

fn drop_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    map.values_mut().for_each(drop_nulls_in);
}

fn drop_nulls_in(value: &mut Value) {
    match value {
        Value::Object(map) => drop_nulls(map),
        Value::Array(items) => items.iter_mut().for_each(drop_nulls_in),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;
    use expect_test::expect;
    use serde_json::json;

    fn decoded(value: Value) -> String {
        let mut object = Object::from_json(value.to_string().as_bytes()).expect("an object");
        let row = table::by_kind(object.api_version(), object.kind()).expect("a row");
        let findings = match decode(row, &mut object) {
            Ok(unknown) => unknown,
            Err(error) => return format!("refused: {}: {}", error.field, error.message),
        };
        let lines: Vec<String> = findings.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
        format!("{}\n{}", lines.join("\n"), String::from_utf8_lossy(&object.to_json()))
    }

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec})
    }

    #[test]
    fn unknown_fields_are_named_by_their_path_with_a_guess() {
        let mut deployment = deployment(json!({
            "replcas": 2, "selector": {},
            "template": {"spec": {"containers": [{"name": "a", "Image": "b", "zzz": 1}]}},
        }));
        deployment["metadata"]["lables"] = json!({});
        expect![[r#"
            metadata.lables: unknown field (did you mean "labels"?)
            spec.replcas: unknown field (did you mean "replicas"?)
            spec.template.spec.containers[0].Image: unknown field (did you mean "image"?)
            spec.template.spec.containers[0].zzz: unknown field
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"lables":{},"name":"a"},"spec":{"replcas":2,"selector":{},"template":{"spec":{"containers":[{"Image":"b","name":"a","zzz":1}]}}}}"#]]
        .assert_eq(&decoded(deployment));
    }

    #[test]
    fn unknown_fields_can_be_dropped() {
        let value = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "x/y~z": 1},
            "spec": {"containers": [{"name": "a", "imag": {"deep": []}}]}});
        let mut pod = Object::from_json(value.to_string().as_bytes()).expect("an object");
        let row = table::by_kind("v1", "Pod").expect("a row");
        let dropped = decode_known(row, &mut pod).expect("nothing else is wrong");
        let dropped: Vec<&str> = dropped.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(dropped, ["metadata.x/y~z", "spec.containers[0].imag"]);
        let left = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "a"}]}});
        assert_eq!(pod.into_value(), left);
    }

    #[test]
    fn of_very_many_unknown_fields_some_are_told_of_and_all_are_dropped() {
        let fields = (0..1000).map(|number| format!("name{number}")).chain(["metadata".repeat(100_000)]);
        let more: Map<String, Value> = fields.map(|field| (field, json!(1))).collect();
        let mut value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        value.as_object_mut().expect("a map").extend(more);
        let mut map = Object::from_json(value.to_string().as_bytes()).expect("an object");
        let row = table::by_kind("v1", "ConfigMap").expect("a row");
        assert_eq!(decode_known(row, &mut map).expect("nothing else is wrong").len(), 100);
        assert_eq!(map.as_map().len(), 3);
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        let spec = json!({"replicas": "two", "selector": {}, "template": {}});
        expect![[r#"refused: spec.replicas: invalid type: string "two", expected i32"#]]
            .assert_eq(&decoded(deployment(spec)));
        let spec = json!({"selector": {"matchLabels": {"a/b": 1}}, "template": {}});
        expect!["refused: spec.selector.matchLabels[a/b]: invalid type: integer `1`, expected a string"]
            .assert_eq(&decoded(deployment(spec)));
        let spec = json!({"selector": {}, "template": {"spec": {"containers": {"name": "a"}}}});
        expect!["refused: spec.template.spec.containers: invalid type: map, expected a sequence"]
            .assert_eq(&decoded(deployment(spec)));
    }

    #[test]
    fn nulls_go_and_quantities_become_canonical() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "creationTimestamp": null},
            "spec": {"containers": [{"name": "a", "resources":
                {"limits": {"cpu": 0.5, "memory": 1024, "x.io/gpu": "1000m"}, "requests": {"memory": "1024Mi"}}}]}});
        expect![[r#"

            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"500m","memory":"1024","x.io/gpu":"1"},"requests":{"memory":"1Gi"}}}]}}"#]]
        .assert_eq(&decoded(pod));
    }

    #[test]
    fn a_quantity_that_is_none_is_refused() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": "a lot"}}}]}});
        expect![[r#"refused: spec.containers[0].resources.limits[cpu]: "a lot" is no quantity: write a number with an optional suffix, such as 500m, 2, 128Mi or 1Gi"#]]
        .assert_eq(&decoded(pod));
    }

    #[test]
    fn plain_text_where_base64_belongs_is_explained_and_not_repeated() {
        let secret = |field: &str, value: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, field: {"a": value}});
        expect![
            "refused: data[a]: not base64: encode it, or for a Secret write plain text under `stringData`"
        ]
        .assert_eq(&decoded(secret("data", json!("pa$$word"))));
        expect!["refused: stringData[a]: invalid type: expected a string; put quotes around it"]
            .assert_eq(&decoded(secret("stringData", json!(4711))));
        for field in ["data", "stringData"] {
            let mut whole = secret(field, json!(null));
            whole[field] = "password=4711".into();
            let told = decoded(whole);
            assert_eq!(told, format!("refused: {field}: invalid type: expected a map of keys and values"));
        }
    }
}
