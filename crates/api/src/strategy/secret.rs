//! Secrets. What is in them is never shown: a cell counts keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::config_data::{count, decoded_len, validate, validate_update};
use super::defaults::{fill, made};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// The strategy of Secrets.
pub(crate) struct Secret;

impl Strategy for Secret {
    fn default_fields(&self, object: &mut Object) {
        let map = object.as_map_mut();
        fill(map, "type", "Opaque");
        // `stringData` is for writing only: it goes into `data`, and wins over it.
        let Some(Value::Object(texts)) = map.remove("stringData") else { return };
        if let Some(data) = made(map, "data") {
            data.extend(texts.into_iter().map(encoded).collect::<Map<_, _>>());
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = validate(object, &["data"], |_, value| decoded_len(value));
        let data = At::field(object, "data");
        required_keys(object, &data, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        At::field(new, "type").immutable(&At::field(old, "type"), &mut errors);
        errors.extend(validate_update(new, old, &["data"]));
        errors
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "type").then(|| object.text(&["type"]).to_owned())
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("TYPE"), Column::shown("DATA")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        vec![object.text(&["type"]).to_owned(), count(object, &["data"])]
    }
}

fn encoded((key, value): (String, Value)) -> (String, Value) {
    let text = value.as_str().unwrap_or_default();
    (key, Value::String(STANDARD.encode(text)))
}

/// What a type promises to hold.
fn required_keys(object: &Object, data: &At<'_>, errors: &mut Vec<FieldError>) {
    let needed: &[&str] = match object.text(&["type"]) {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in needed {
        let present = data.map().is_some_and(|map| map.contains_key(*key));
        if !present {
            errors.push(FieldError::required(format!("data[{key}]"), "Required value"));
        }
    }
    if object.text(&["type"]) == "kubernetes.io/service-account-token" {
        let account = "kubernetes.io/service-account.name";
        if object.annotation(account).unwrap_or_default().is_empty() {
            errors.push(FieldError::required(format!("metadata.annotations[{account}]"), "Required value"));
        }
    }
}
