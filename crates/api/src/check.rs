//! Strict decoding: what an object says beside what its type knows.

use k8s_openapi::serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::FieldError;
use crate::object::Object;

/// Decodes an object as `T`, dropping the result: the paths of the fields that `T`
/// does not have, such as `spec.template.spec.containers[0].imag`.
///
/// # Errors
/// The first field of a wrong type.
pub fn strict<T: DeserializeOwned>(object: &Object) -> Result<Vec<String>, FieldError> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let value = Value::Object(object.as_map().clone());
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let outcome: Result<T, _> = serde_ignored::deserialize(tracked, |path| {
        unknown.push(dotted(&path.to_string()));
    });
    match outcome {
        Ok(_) => Ok(unknown),
        Err(error) => {
            Err(FieldError::new("FieldValueTypeInvalid", track.path().to_string(), error.to_string()))
        }
    }
}

/// `spec.?.containers.0.imag` (the crate's form) as `spec.containers[0].imag`.
fn dotted(path: &str) -> String {
    let mut out = String::new();
    for part in path.split('.').filter(|part| *part != "?") {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    fn object(value: Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    #[test]
    fn unknown_fields_are_named_by_their_path() {
        let deployment = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "lables": {}},
            "spec": {"replcas": 2, "selector": {}, "template": {"spec": {"containers": [{"name": "a", "imag": "b"}]}}},
        }));
        assert_eq!(
            strict::<Deployment>(&deployment),
            Ok(vec![
                "metadata.lables".into(),
                "spec.replcas".into(),
                "spec.template.spec.containers[0].imag".into()
            ])
        );
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        let deployment = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"replicas": "two", "selector": {}, "template": {}},
        }));
        let error = strict::<Deployment>(&deployment).expect_err("two is no number");
        assert_eq!(error.field, "spec.replicas");
        assert!(error.message.contains("invalid type: string \"two\", expected i32"), "{}", error.message);
    }
}
