//! The patch that makes one object of another, as `kubectl apply` would write it: what the
//! laws of patches are tested with.

use serde_json::{Map, Value, json};

use crate::strategic_merge::items::{self, Identity};
use crate::strategic_merge::schema::Schema;

/// A patch from `old` to `new`.
pub(super) fn between(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    schema: Schema,
) -> Map<String, Value> {
    let mut patch = Map::new();
    for gone in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(gone.clone(), Value::Null);
    }
    for (key, value) in new {
        match (old.get(key), value) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                patch.insert(key.clone(), Value::Object(between(before, after, schema.child(key))));
            }
            (Some(Value::Array(before)), Value::Array(after)) => {
                lists(&mut patch, key, before, after, schema.child(key));
            }
            (_, after) => {
                patch.insert(key.clone(), after.clone());
            }
        }
    }
    patch
}

fn lists(patch: &mut Map<String, Value>, key: &str, old: &[Value], new: &[Value], schema: Schema) {
    let Some((identity, of_item)) = items::of(schema) else {
        patch.insert(key.to_owned(), new.into());
        return;
    };
    let counterpart =
        |item: &Value, list: &[Value]| list.iter().find(|other| identity.same(other, item)).cloned();
    let gone: Vec<Value> = old.iter().filter(|item| counterpart(item, new).is_none()).cloned().collect();
    let mut items: Vec<Value> = Vec::new();
    let Identity::Keys { merge_key, others } = &identity else {
        let added = new.iter().filter(|item| !old.contains(item));
        patch.insert(format!("$setElementOrder/{key}"), new.into());
        patch.insert(format!("$deleteFromPrimitiveList/{key}"), gone.into());
        patch.insert(key.to_owned(), added.cloned().collect());
        return;
    };
    let named = |item: &Value| {
        let keys = std::iter::once(*merge_key).chain(others.iter().map(|(key, _)| *key));
        let keys = keys.filter_map(|key| Some((key.to_owned(), item.get(key)?.clone())));
        Value::Object(keys.collect())
    };
    for item in gone {
        let mut item = named(&item);
        item["$patch"] = json!("delete");
        items.push(item);
    }
    for item in new {
        let (Some(before), Some(after)) = (counterpart(item, old), item.as_object()) else {
            items.push(item.clone());
            continue;
        };
        if before != *item {
            let before = before.as_object().cloned().unwrap_or_default();
            let mut change = named(item);
            let between = between(&before, after, of_item);
            change.as_object_mut().expect("a map").extend(between);
            items.push(change);
        }
    }
    patch.insert(format!("$setElementOrder/{key}"), new.iter().map(named).collect());
    patch.insert(key.to_owned(), items.into());
}
