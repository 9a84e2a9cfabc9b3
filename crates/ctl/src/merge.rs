//! Client-side apply, as kubectl's: three versions in, the wanted object out. What the
//! manifest says wins, what it said last time and no longer says goes, and everything else
//! is as it was. Lists of things with a key are merged by it; other lists are replaced.

use serde_json::{Map, Value};
use xebec_api::object::Object;

/// Where the manifest of the last apply is kept.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The manifest as it is kept in the annotation.
pub(crate) fn annotation(manifest: &Object) -> String {
    let mut kept = manifest.clone();
    kept.remove(&["metadata", "annotations", LAST_APPLIED]);
    kept.remove(&["status"]);
    let mut text = String::from_utf8_lossy(&kept.to_json()).into_owned();
    // As kubectl writes it, so that both find it unchanged.
    text.push('\n');
    text
}

/// The manifest with its own annotation, as it is created.
pub(crate) fn with_annotation(manifest: &Object) -> Object {
    let mut object = manifest.clone();
    object.remove(&["status"]);
    object.set(&["metadata", "annotations", LAST_APPLIED], annotation(manifest));
    object
}

/// What the object in the cluster becomes.
pub(crate) fn apply(manifest: &Object, live: &Object) -> Object {
    let original = live.annotation(LAST_APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let modified = with_annotation(manifest).into_value();
    let merged = merge(original.as_ref(), &modified, Some(&live.clone().into_value()), "");
    match merged {
        Value::Object(map) => Object::from_map(map),
        _ => unreachable!("two maps merge into a map"),
    }
}

fn merge(original: Option<&Value>, modified: &Value, live: Option<&Value>, field: &str) -> Value {
    match (modified, live) {
        (Value::Object(modified), live) => {
            let original = original.and_then(Value::as_object);
            Value::Object(merge_maps(original, modified, live.and_then(Value::as_object)))
        }
        (Value::Array(modified), Some(Value::Array(live))) => {
            let original = original.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            match keys(field, modified, live) {
                Some(keys) => Value::Array(merge_lists(original, modified, live, field, keys)),
                None => Value::Array(modified.clone()),
            }
        }
        _ => modified.clone(),
    }
}

type Fields = Map<String, Value>;

fn merge_maps(original: Option<&Fields>, modified: &Fields, live: Option<&Fields>) -> Fields {
    let mut merged = live.cloned().unwrap_or_default();
    for key in original.into_iter().flat_map(Map::keys) {
        if !modified.contains_key(key) {
            merged.remove(key);
        }
    }
    for (key, value) in modified {
        if value.is_null() {
            merged.remove(key);
            continue;
        }
        let original = original.and_then(|original| original.get(key));
        let value = merge(original, value, live.and_then(|live| live.get(key)), key);
        merged.insert(key.clone(), value);
    }
    merged
}

fn merge_lists(
    original: &[Value],
    modified: &[Value],
    live: &[Value],
    field: &str,
    keys: &[&str],
) -> Vec<Value> {
    let find = |list: &'_ [Value], like: &Value| list.iter().position(|item| same(item, like, keys));
    let mut merged: Vec<Value> = Vec::new();
    for item in modified {
        let was = find(original, item).map(|index| &original[index]);
        let is = find(live, item).map(|index| &live[index]);
        merged.push(merge(was, item, is, field));
    }
    for item in live {
        let wanted = find(modified, item).is_some();
        let dropped = find(original, item).is_some();
        if !wanted && !dropped {
            merged.push(item.clone());
        }
    }
    merged
}

fn same(a: &Value, b: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| {
        let value = |item: &Value| item.get(*key).cloned().unwrap_or_else(|| default_of(key));
        value(a) == value(b)
    })
}

fn default_of(key: &str) -> Value {
    if key == "protocol" { "TCP".into() } else { Value::Null }
}

/// The merge keys of Kubernetes' API description, by field; `None` for lists that are
/// replaced, and where an item lacks its key.
fn keys(field: &str, modified: &[Value], live: &[Value]) -> Option<&'static [&'static str]> {
    let all = || modified.iter().chain(live);
    let keys: &[&str] = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets" => &["name"],
        "ports" if all().any(|item| item.get("containerPort").is_some()) => &["containerPort", "protocol"],
        "ports" => &["port", "protocol"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        _ => return None,
    };
    all().all(|item| item.get(keys[0]).is_some()).then_some(keys)
}

#[cfg(test)]
mod tests;
