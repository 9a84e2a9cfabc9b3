//! What ConfigMaps and Secrets share: keys with data, a limit, and `immutable`.

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;

/// Of all values together.
const MAX_BYTES: usize = 1024 * 1024;

/// Keys are keys, none stands in two maps, and all together stay below the limit.
pub(super) fn validate(object: &Object, fields: &[&str], size: fn(&str, &str) -> usize) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut bytes = 0;
    let first = At::field(object, fields[0]);
    for field in fields {
        for (key, value) in At::field(object, field).entries() {
            if let Err(why) = name::config_key(key) {
                let shown = serde_json::json!(key);
                errors.push(At { path: value.path.clone(), value: &shown }.invalid(&why));
            }
            if *field != fields[0] && first.key(key).is_set() {
                errors.push(value.invalid("duplicate of key present in data"));
            }
            bytes += key.len() + size(field, value.text());
        }
    }
    if bytes > MAX_BYTES {
        errors.push(At { path: fields[0].to_owned(), value: &serde_json::Value::Null }.too_long(MAX_BYTES));
    }
    errors
}

/// Once immutable, always so, and with it the data.
pub(super) fn validate_update(new: &Object, old: &Object, fields: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !At::field(old, "immutable").is_true() {
        return errors;
    }
    let why = "field is immutable when `immutable` is set";
    if !At::field(new, "immutable").is_true() {
        errors.push(At::field(new, "immutable").forbidden(why));
    }
    for field in fields {
        let (new, old) = (At::field(new, field), At::field(old, field));
        if new.value != old.value && !(new.is_empty() && old.is_empty()) {
            errors.push(new.forbidden(why));
        }
    }
    errors
}

/// How many keys the fields have together.
pub(super) fn count(object: &Object, fields: &[&str]) -> String {
    let counts = fields.iter().map(|field| At::field(object, field).entries().len());
    counts.sum::<usize>().to_string()
}

/// The bytes that base64 text stands for.
pub(super) fn decoded_len(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|b| *b == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}
