//! Fields of objects, as what is not there counts here.

use serde_json::Value;
use xebec_api::object::Object;

/// The items of a list; none when it is not there.
pub(crate) fn list<'a>(object: &'a Object, path: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(path).and_then(Value::as_array).into_iter().flatten()
}

/// A text, empty when it is not there.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The number of a port.
pub(crate) fn number(value: &Value, key: &str) -> Option<u16> {
    let number = value.get(key)?.as_u64()?;
    u16::try_from(number).ok().filter(|number| *number > 0)
}
