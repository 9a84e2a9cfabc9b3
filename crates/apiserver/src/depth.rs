//! How deep an object may be nested. Much that works on values goes down level by level, and what
//! is stored must be readable again: serde_json reads 127 levels, here and in every client.
//!
//! A bound of 100 leaves room for what is put around and beside it: `managedFields` spells every
//! step of a field's way as one more map, five below the object's root, and a list or a watch has
//! its objects three levels down.

use serde_json::Value;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

/// Lists and maps within each other, the object's own map counted.
pub(crate) const MOST_LEVELS: usize = 100;

/// Refuses an object that is nested too deep.
///
/// # Errors
/// `BadRequest`.
pub(crate) fn check(object: &Object) -> Result<(), ApiError> {
    if object.as_map().values().any(|value| exceeds(value, MOST_LEVELS - 1)) {
        Err(too_deep())
    } else {
        Ok(())
    }
}

/// Whether a value has more than so many lists and maps within each other. Never goes down further
/// than that.
pub(crate) fn exceeds(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| exceeds(item, levels - 1)),
        Value::Object(map) => levels == 0 || map.values().any(|value| exceeds(value, levels - 1)),
        _ => false,
    }
}

/// What is said of it.
pub(crate) fn too_deep() -> ApiError {
    let message = format!("the object has more than {MOST_LEVELS} lists and maps within each other");
    ApiError::new(Reason::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn levels_are_lists_and_maps() {
        for (value, levels) in
            [(json!("a"), 0), (json!([]), 1), (json!({"a": 1}), 1), (json!({"a": [1, {"b": []}]}), 4)]
        {
            assert!(!exceeds(&value, levels), "{value}");
            assert!(levels == 0 || exceeds(&value, levels - 1), "{value}");
        }
        let nested = |levels| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
        let object = |levels| Object::from_json(nested(levels).to_string().as_bytes()).expect("an object");
        assert_eq!(check(&object(MOST_LEVELS)), Ok(()));
        let refused = check(&object(MOST_LEVELS + 1)).expect_err("too deep");
        assert_eq!(refused.message, "the object has more than 100 lists and maps within each other");
    }
}
