//! Who set which field: `metadata.managedFields`, recorded from what a write changed.
//!
//! An object is flattened to its leaves; a leaf's path is spelled as `fieldsV1` spells it
//! (`f:spec`, `k:{"name":"web"}`, `v:"x"`). A writer owns the leaves that its write
//! changed; everybody else loses those, and all lose what is gone. Lists are leaves but
//! for the associative ones that [`list_kind`] knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use xebec_api::object::Object;

/// A leaf's way from the root, as `fieldsV1` spells its steps.
type Path = Vec<String>;

/// Metadata that nobody owns.
const UNOWNED: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "selfLink",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "managedFields",
];

/// The writer of a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) subresource: &'a str,
    /// RFC 3339.
    pub(crate) time: &'a str,
}

/// Records in `new` what the writer changed since `old` (`None` for a create).
pub(crate) fn record(new: &mut Object, old: Option<&Object>, writer: Writer<'_>) {
    let after = leaves(new);
    let before = old.map(leaves).unwrap_or_default();
    let changed: BTreeSet<Path> = after
        .iter()
        .filter(|(path, value)| before.get(*path) != Some(value))
        .map(|(path, _)| path.clone())
        .collect();
    if changed.is_empty() && before.len() == after.len() {
        return;
    }
    let entries = new.get(&["metadata", "managedFields"]).and_then(Value::as_array).cloned();
    let mut entries = entries.unwrap_or_default();
    let mine = entries.iter().position(|entry| is_of(entry, writer));
    for (index, entry) in entries.iter_mut().enumerate() {
        let owned = decode(entry.get("fieldsV1"));
        let mut kept: BTreeSet<Path> =
            owned.iter().filter(|path| after.contains_key(*path)).cloned().collect();
        if Some(index) == mine {
            kept.extend(changed.iter().cloned());
        } else {
            kept.retain(|path| !changed.contains(path));
        }
        if kept != owned {
            entry["fieldsV1"] = encode(&kept);
            if Some(index) == mine {
                entry["time"] = writer.time.into();
            }
        }
    }
    if mine.is_none() && !changed.is_empty() {
        entries.push(entry(new, writer, &changed));
    }
    entries
        .retain(|entry| entry.get("fieldsV1").and_then(Value::as_object).is_some_and(|set| !set.is_empty()));
    new.set(&["metadata", "managedFields"], entries);
}

fn is_of(entry: &Value, writer: Writer<'_>) -> bool {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    text("manager") == writer.manager
        && text("operation") == "Update"
        && text("subresource") == writer.subresource
}

fn entry(object: &Object, writer: Writer<'_>, changed: &BTreeSet<Path>) -> Value {
    let mut entry = json!({
        "manager": writer.manager, "operation": "Update", "apiVersion": object.api_version(),
        "time": writer.time, "fieldsType": "FieldsV1", "fieldsV1": encode(changed),
    });
    if !writer.subresource.is_empty() {
        entry["subresource"] = writer.subresource.into();
    }
    entry
}

/// Every leaf that somebody can own, with its value.
fn leaves(object: &Object) -> BTreeMap<Path, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in object.as_map() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                let fields = value.as_object().into_iter().flatten();
                for (key, value) in fields.filter(|(key, _)| !UNOWNED.contains(&key.as_str())) {
                    walk(vec!["f:metadata".into(), format!("f:{key}")], key, value, &mut found);
                }
            }
            _ => walk(vec![format!("f:{key}")], key, value, &mut found),
        }
    }
    found
}

fn walk(path: Path, field: &str, value: &Value, found: &mut BTreeMap<Path, Value>) {
    let below = |step: String| {
        let mut path = path.clone();
        path.push(step);
        path
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                walk(below(format!("f:{key}")), key, value, found);
            }
        }
        Value::Array(items) if !items.is_empty() => match steps(field, items) {
            Some(steps) => {
                for (step, item) in steps.into_iter().zip(items) {
                    walk(below(step), "", item, found);
                }
            }
            None => {
                found.insert(path, value.clone());
            }
        },
        _ => {
            found.insert(path, value.clone());
        }
    }
}

/// How the items of a list are told apart.
enum ListKind {
    Keyed(&'static [&'static str]),
    Set,
}

/// The associative lists of the built-in kinds, by field name and the first item's shape.
fn list_kind(field: &str, first: &Value) -> Option<ListKind> {
    let has = |key: &str| first.get(key).is_some();
    Some(match field {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets" => {
            ListKind::Keyed(&["name"])
        }
        "volumeMounts" => ListKind::Keyed(&["mountPath"]),
        "conditions" => ListKind::Keyed(&["type"]),
        "ownerReferences" => ListKind::Keyed(&["uid"]),
        "podIPs" | "hostIPs" => ListKind::Keyed(&["ip"]),
        "ports" if has("containerPort") => ListKind::Keyed(&["containerPort", "protocol"]),
        "ports" if has("port") && has("targetPort") => ListKind::Keyed(&["port", "protocol"]),
        "finalizers" => ListKind::Set,
        _ => return None,
    })
}

/// One distinct step an item; `None` when the list is to be owned as a whole.
fn steps(field: &str, items: &[Value]) -> Option<Vec<String>> {
    let kind = list_kind(field, items.first()?)?;
    let mut seen = BTreeSet::new();
    items
        .iter()
        .map(|item| {
            let step = match &kind {
                ListKind::Set => format!("v:{item}"),
                ListKind::Keyed(keys) => {
                    let key: Option<Map<String, Value>> =
                        keys.iter().map(|key| Some(((*key).to_owned(), item.get(*key)?.clone()))).collect();
                    format!("k:{}", Value::Object(key?))
                }
            };
            seen.insert(step.clone()).then_some(step)
        })
        .collect()
}

/// Paths as the nested maps of `fieldsV1`; an item of a list carries `.`, itself.
fn encode(paths: &BTreeSet<Path>) -> Value {
    let mut root = Map::new();
    for path in paths {
        let mut map = &mut root;
        for step in path {
            let slot = map.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
            map = slot.as_object_mut().expect("every node of the tree is made a map");
            if step.starts_with("k:") {
                map.entry(".").or_insert_with(|| Value::Object(Map::new()));
            }
        }
    }
    Value::Object(root)
}

/// The leaves of a `fieldsV1`.
fn decode(fields: Option<&Value>) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    if let Some(fields) = fields {
        collect(&mut Vec::new(), fields, &mut found);
    }
    found
}

fn collect(path: &mut Path, fields: &Value, found: &mut BTreeSet<Path>) {
    let below: Vec<_> = fields.as_object().into_iter().flatten().filter(|(step, _)| *step != ".").collect();
    if below.is_empty() && !path.is_empty() {
        found.insert(path.clone());
    }
    for (step, fields) in below {
        path.push(step.clone());
        collect(path, fields, found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    fn object(value: Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn writer(manager: &str) -> Writer<'_> {
        Writer { manager, subresource: "", time: "2026-11-24T10:00:00Z" }
    }

    fn shown(object: &Object) -> String {
        let entries = object.get(&["metadata", "managedFields"]).and_then(Value::as_array);
        let entries = entries.into_iter().flatten();
        entries.map(|e| format!("{} {}\n", e["manager"].as_str().unwrap_or("?"), e["fieldsV1"])).collect()
    }

    #[test]
    fn a_create_owns_everything_and_an_update_takes_what_it_changed() {
        let base = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "labels": {"app": "web", "tier": "front"}, "finalizers": ["x/y"]},
            "spec": {"containers": [{"name": "c", "image": "i:1", "command": ["a", "b"]}]}});
        let mut old = object(base);
        record(&mut old, None, writer("one"));
        expect![[r#"
            one {"f:metadata":{"f:finalizers":{"v:\"x/y\"":{}},"f:labels":{"f:app":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:command":{},"f:image":{},"f:name":{}}}}}
        "#]]
        .assert_eq(&shown(&old));
        let mut new = old.clone();
        new.set(&["metadata", "labels", "app"], "api");
        new.remove(&["metadata", "labels", "tier"]);
        new.remove(&["metadata", "finalizers"]);
        record(&mut new, Some(&old), writer("two"));
        expect![[r#"
            one {"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:command":{},"f:image":{},"f:name":{}}}}}
            two {"f:metadata":{"f:labels":{"f:app":{}}}}
        "#]]
        .assert_eq(&shown(&new));
        let mut same = new.clone();
        record(&mut same, Some(&new), writer("three"));
        assert_eq!(same, new, "a write that changes nothing owns nothing");
    }

    proptest! {
        #[test]
        fn sets_survive_their_encoding(paths in prop::collection::btree_set(prop::collection::vec("f:[ab]", 3), 0..6)) {
            prop_assert_eq!(decode(Some(&encode(&paths))), paths);
        }

        #[test]
        fn every_leaf_has_exactly_one_owner(values in prop::collection::vec(prop::collection::btree_map("[abc]", 0..3_i32, 0..4), 1..6)) {
            let mut current: Option<Object> = None;
            for (index, data) in values.iter().enumerate() {
                let mut new = current.clone().unwrap_or_else(|| object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})));
                new.set(&["data"], json!(data));
                let name = format!("m{}", index % 3);
                record(&mut new, current.as_ref(), writer(&name));
                let mut owned: Vec<Path> = Vec::new();
                for entry in new.get(&["metadata", "managedFields"]).and_then(Value::as_array).into_iter().flatten() {
                    owned.extend(decode(entry.get("fieldsV1")));
                }
                owned.sort();
                let all: Vec<Path> = leaves(&new).into_keys().collect();
                prop_assert_eq!(owned, all);
                current = Some(new);
            }
        }
    }
}
