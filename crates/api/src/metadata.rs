//! The rules that every object's metadata keeps, whatever its kind.

use serde_json::Value;

use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::resource::Resource;

/// Bytes that all annotations of an object may have together.
const MOST_ANNOTATION_BYTES: usize = 256 << 10;

/// Every broken rule of an object's metadata.
#[must_use]
pub fn validate(row: &Resource, object: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    validate_name(row, object.name(), &mut errors);
    if row.namespaced && object.namespace().is_empty() {
        errors.push(FieldError::required("metadata.namespace", "this kind lives in a namespace"));
    }
    if !row.namespaced && !object.namespace().is_empty() {
        errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type: leave it out"));
    }
    texts(object, "labels", &mut errors);
    texts(object, "annotations", &mut errors);
    for (key, value) in object.labels() {
        if let Err(why) = name::qualified(key) {
            errors.push(FieldError::invalid("metadata.labels", format!("Invalid value: {key:?}: {why}")));
        }
        if let Err(why) = name::label_value(value) {
            errors.push(FieldError::invalid("metadata.labels", format!("Invalid value: {value:?}: {why}")));
        }
    }
    let annotations: usize = object.annotations().map(|(key, value)| key.len() + value.len()).sum();
    if annotations > MOST_ANNOTATION_BYTES {
        let message = format!("Too long: may not be more than {MOST_ANNOTATION_BYTES} bytes");
        errors.push(FieldError::new("FieldValueTooLong", "metadata.annotations", message));
    }
    owners(object, &mut errors);
    errors
}

fn validate_name(row: &Resource, object_name: &str, errors: &mut Vec<FieldError>) {
    if object_name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
        return;
    }
    let check = match (row.group, row.kind) {
        ("", "Namespace" | "Service") => name::dns_label,
        ("rbac.authorization.k8s.io", _) => name::path_segment,
        _ => name::dns_subdomain,
    };
    if let Err(why) = check(object_name) {
        errors.push(FieldError::invalid("metadata.name", format!("Invalid value: {object_name:?}: {why}")));
    }
}

/// Labels and annotations map texts to texts.
fn texts(object: &Object, field: &str, errors: &mut Vec<FieldError>) {
    for (key, value) in object.get(&["metadata", field]).and_then(Value::as_object).into_iter().flatten() {
        if !value.is_string() {
            let message = format!("Invalid value: {value}: must be a text, in quotes");
            errors.push(FieldError::invalid(format!("metadata.{field}[{key}]"), message));
        }
    }
}

fn owners(object: &Object, errors: &mut Vec<FieldError>) {
    let owners = object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
    let mut controllers = 0;
    for (index, owner) in owners.into_iter().flatten().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
                let path = format!("metadata.ownerReferences[{index}].{field}");
                errors.push(FieldError::required(path, "must not be empty"));
            }
        }
        controllers += usize::from(owner.get("controller") == Some(&Value::Bool(true)));
    }
    if controllers > 1 {
        let message = "only one reference may have controller set to true";
        errors.push(FieldError::invalid("metadata.ownerReferences", message));
    }
}
