//! The directives' spelling, and what is left of a patch once they are taken out.

use serde_json::{Map, Value};

use super::PatchError;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList/";

/// A key of a patch.
pub(super) enum Key<'p> {
    /// A field of the object.
    Field(&'p str),
    /// The order of the list under this field.
    Order(&'p str),
    /// Values that go from the list under this field.
    Deletion(&'p str),
    /// Said of the map that it stands in, and read beforehand.
    OfTheMap,
}

/// What a key of a patch is.
pub(super) fn key(text: &str) -> Key<'_> {
    if let Some(field) = text.strip_prefix(SET_ELEMENT_ORDER) {
        return Key::Order(field);
    }
    if let Some(field) = text.strip_prefix(DELETE_FROM_PRIMITIVE_LIST) {
        return Key::Deletion(field);
    }
    if text == PATCH || text == RETAIN_KEYS { Key::OfTheMap } else { Key::Field(text) }
}

/// The order that a patch wishes for a list, if it says so.
pub(super) fn order<'p>(patch: &'p Map<String, Value>, field: &str) -> Option<&'p Value> {
    patch.get(&format!("{SET_ELEMENT_ORDER}{field}"))
}

/// How a map of a patch is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Merge,
    Replace,
    Delete,
}

/// What `$patch` says.
pub(super) fn manner(patch: &Map<String, Value>) -> Result<Manner, PatchError> {
    match patch.get(PATCH).map(|value| value.as_str().unwrap_or_default()) {
        None | Some("merge") => Ok(Manner::Merge),
        Some("replace") => Ok(Manner::Replace),
        Some("delete") => Ok(Manner::Delete),
        Some(_) => {
            let message = format!("{} is no directive: merge, replace or delete", patch[PATCH]);
            Err(PatchError::new(message).under(PATCH))
        }
    }
}

/// The keys that `$retainKeys` keeps; it must name all that the patch itself gives.
pub(super) fn retained(patch: &Map<String, Value>) -> Result<Option<Vec<&str>>, PatchError> {
    let Some(value) = patch.get(RETAIN_KEYS) else { return Ok(None) };
    let wrong = |message: String| PatchError::new(message).under(RETAIN_KEYS);
    let names = value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
    let names: Vec<&str> = names.ok_or_else(|| wrong("expected a list of names of fields".into()))?;
    for (field, value) in patch {
        if matches!(key(field), Key::Field(_)) && !value.is_null() && !names.contains(&field.as_str()) {
            return Err(wrong(format!("{field:?} is given by the patch and must be named here as well")));
        }
    }
    Ok(Some(names))
}

/// What a part of a patch adds where nothing was: without directives and nulls; `None`
/// for what only deletes.
pub(super) fn plain(patch: &Value) -> Option<Value> {
    match patch {
        Value::Null => None,
        Value::Object(map) if map.get(PATCH).is_some_and(|manner| manner == "delete") => None,
        Value::Object(map) => Some(Value::Object(plain_map(map))),
        Value::Array(items) => {
            Some(items.iter().filter(|item| !is_replace_marker(item)).filter_map(plain).collect())
        }
        other => Some(other.clone()),
    }
}

/// As [`plain`], of a map that is there whatever it says.
pub(super) fn plain_map(patch: &Map<String, Value>) -> Map<String, Value> {
    let fields = patch.iter().filter(|(name, _)| matches!(key(name), Key::Field(_)));
    fields.filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect()
}

/// An item that says nothing but that its list is to be replaced.
pub(super) fn is_replace_marker(item: &Value) -> bool {
    item.as_object().is_some_and(|map| map.get(PATCH).is_some_and(|manner| manner == "replace"))
}
