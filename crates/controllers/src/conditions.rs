//! `status.conditions`: one entry per type, of which a controller changes only its own.

use jiff::Timestamp;
use serde_json::{Map, Value};
use xebec_api::object::Object;
pub(crate) use xebec_api::pod::condition as find;
pub(crate) use xebec_api::time::rfc3339;

/// The status of a condition: `True`, `False` or `Unknown`.
pub(crate) fn status<'a>(object: &'a Object, kind: &str) -> Option<&'a str> {
    find(object, kind)?.get("status")?.as_str()
}

/// One field of a condition, `""` when there is none.
pub(crate) fn text<'a>(object: &'a Object, kind: &str, field: &str) -> &'a str {
    find(object, kind).and_then(|condition| condition.get(field)?.as_str()).unwrap_or_default()
}

/// What a controller says about its object.
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: String,
}

/// Takes a condition away, if it is there.
pub(crate) fn remove(object: &mut Object, kind: &str) {
    let Some(list) = object.get(&["status", "conditions"]).and_then(Value::as_array) else { return };
    let mut list = list.clone();
    list.retain(|entry| entry.get("type").and_then(Value::as_str) != Some(kind));
    if list.is_empty() {
        object.remove(&["status", "conditions"]);
    } else {
        object.set(&["status", "conditions"], list);
    }
}

/// Sets a condition; its transition time moves only when its status does. Says nothing
/// new when status and reason stand already.
pub(crate) fn set(object: &mut Object, condition: &Condition<'_>, now: Timestamp) {
    let same = status(object, condition.kind) == Some(condition.status)
        && text(object, condition.kind, "reason") == condition.reason;
    if !same {
        replace(object, condition, now);
    }
}

/// Sets a condition and says that it was looked at now (`lastUpdateTime`).
pub(crate) fn replace(object: &mut Object, condition: &Condition<'_>, now: Timestamp) {
    let unchanged = status(object, condition.kind) == Some(condition.status);
    let mut entry: Map<String, Value> =
        find(object, condition.kind).and_then(Value::as_object).cloned().unwrap_or_default();
    let has_update_time = entry.contains_key("lastUpdateTime");
    for (key, value) in [
        ("type", condition.kind),
        ("status", condition.status),
        ("reason", condition.reason),
        ("message", &condition.message),
    ] {
        entry.insert(key.to_owned(), value.into());
    }
    if !unchanged || !entry.contains_key("lastTransitionTime") {
        entry.insert("lastTransitionTime".to_owned(), rfc3339(now).into());
    }
    if has_update_time || object.kind() == "Deployment" {
        entry.insert("lastUpdateTime".to_owned(), rfc3339(now).into());
    }
    let mut list =
        object.get(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let of_kind = |entry: &Value| entry.get("type").and_then(Value::as_str) == Some(condition.kind);
    match list.iter_mut().find(|entry| of_kind(entry)) {
        Some(slot) => *slot = Value::Object(entry),
        None => list.push(Value::Object(entry)),
    }
    object.set(&["status", "conditions"], list);
}
