//! Who set which field, recorded from the first write on, as server-side apply needs
//! it: one entry a manager, operation and subresource, with the fields as a FieldsV1
//! tree. A list counts as one field.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;

use crate::clock::rfc3339;
use crate::context::RequestContext;

/// Gives the fields that this write changed to its manager, and takes them from others.
pub(crate) fn record(
    new: &mut Object,
    old: Option<&Object>,
    context: &RequestContext,
    subresource: &str,
    now: Timestamp,
) {
    let empty = Map::new();
    let before = old.map_or(&empty, Object::as_map);
    let changed = changed_fields(new.as_map(), before, true);
    if changed.is_empty() {
        return;
    }
    let present =
        new.get(&["metadata", "managedFields"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut entries: Vec<Value> = Vec::new();
    let mut mine = changed.clone();
    for mut entry in present {
        let is_mine = entry["manager"] == *context.field_manager
            && entry["operation"] == "Update"
            && entry["subresource"].as_str().unwrap_or_default() == subresource;
        let Some(Value::Object(fields)) = entry.get_mut("fieldsV1") else { continue };
        if is_mine {
            merge(&mut mine, fields);
        } else {
            subtract(fields, &changed);
            if !fields.is_empty() {
                entries.push(entry);
            }
        }
    }
    prune(&mut mine, new.as_map());
    let mut entry = json!({
        "manager": context.field_manager, "operation": "Update", "apiVersion": new.api_version(),
        "time": rfc3339(now), "fieldsType": "FieldsV1", "fieldsV1": mine,
    });
    if !subresource.is_empty() {
        entry["subresource"] = subresource.into();
    }
    entries.push(entry);
    new.set(&["metadata", "managedFields"], entries);
}

/// Metadata of the server's own is nobody's.
fn is_owned(key: &str, at_root: bool, in_metadata: bool) -> bool {
    if at_root {
        return !matches!(key, "apiVersion" | "kind");
    }
    !in_metadata
        || matches!(key, "labels" | "annotations" | "finalizers" | "ownerReferences" | "generateName")
}

fn changed_fields(new: &Map<String, Value>, old: &Map<String, Value>, at_root: bool) -> Map<String, Value> {
    diff(new, old, at_root, false)
}

fn diff(
    new: &Map<String, Value>,
    old: &Map<String, Value>,
    at_root: bool,
    in_metadata: bool,
) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in new.iter().filter(|(key, _)| is_owned(key, at_root, in_metadata)) {
        let inner = match (value, old.get(key)) {
            (value, Some(before)) if value == before => continue,
            (Value::Object(value), before) if !value.is_empty() => {
                let empty = Map::new();
                let before = before.and_then(Value::as_object).unwrap_or(&empty);
                let inner = diff(value, before, false, at_root && key == "metadata");
                if inner.is_empty() {
                    continue;
                }
                inner
            }
            _ => Map::new(),
        };
        out.insert(format!("f:{key}"), Value::Object(inner));
    }
    out
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

fn subtract(from: &mut Map<String, Value>, what: &Map<String, Value>) {
    for (key, value) in what {
        let gone = match (from.get_mut(key), value) {
            (Some(Value::Object(from)), Value::Object(what)) if !what.is_empty() => {
                subtract(from, what);
                from.is_empty()
            }
            (found, _) => found.is_some(),
        };
        if gone {
            from.remove(key);
        }
    }
}

/// Fields that are gone belong to nobody.
fn prune(fields: &mut Map<String, Value>, object: &Map<String, Value>) {
    fields.retain(|key, inner| {
        let Some(value) = key.strip_prefix("f:").and_then(|key| object.get(key)) else { return false };
        if let (Some(inner), Some(value)) = (inner.as_object_mut(), value.as_object()) {
            prune(inner, value);
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::User;

    fn context(manager: &str) -> RequestContext {
        let user = User { name: manager.into(), groups: vec![] };
        RequestContext::new(user, String::new())
    }

    fn object(value: Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn owners(object: &Object) -> Value {
        let entries = object.get(&["metadata", "managedFields"]).and_then(Value::as_array).expect("recorded");
        entries.iter().map(|e| json!([e["manager"], e["subresource"], e["fieldsV1"]])).collect()
    }

    #[test]
    fn a_change_of_hands() {
        let start = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}});
        let mut first = object(start);
        record(&mut first, None, &context("ann"), "", Timestamp::UNIX_EPOCH);
        assert_eq!(owners(&first), json!([["ann", null, {"f:data": {"f:x": {}, "f:y": {}}}]]));
        let mut second = first.clone();
        second.set(&["data", "y"], "2");
        record(&mut second, Some(&first), &context("bob"), "", Timestamp::UNIX_EPOCH);
        assert_eq!(
            owners(&second),
            json!([["ann", null, {"f:data": {"f:x": {}}}], ["bob", null, {"f:data": {"f:y": {}}}]])
        );
        let mut third = second.clone();
        third.set(&["status"], json!({"ok": true}));
        record(&mut third, Some(&second), &context("bob"), "status", Timestamp::UNIX_EPOCH);
        assert_eq!(owners(&third)[2], json!(["bob", "status", {"f:status": {"f:ok": {}}}]));
    }
}
