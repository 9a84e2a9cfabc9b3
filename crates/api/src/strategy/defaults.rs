//! Small steps that defaulting is made of.

use serde_json::{Map, Value};

use crate::object::Object;

/// Gives a field a value when it has none.
pub(super) fn fill(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value.into();
    }
}

/// The map under a key, if there is one.
pub(super) fn inner<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(key)?.as_object_mut()
}

/// The map under a key, made if there is none.
pub(super) fn made<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    fill(map, key, Map::new());
    inner(map, key)
}

/// Every map in the list under a key.
pub(super) fn each<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> + use<'a> {
    let list = map.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// An object's `spec`, made if there is none.
pub(super) fn spec(object: &mut Object) -> Option<&mut Map<String, Value>> {
    made(object.as_map_mut(), "spec")
}
