//! Maps: field by field, as the directives and the facts say.

use serde_json::{Map, Value};

use super::directives::{self, Key, Manner};
use super::schema::Schema;
use super::{PatchError, lists};

/// What a patch makes of a map.
pub(super) fn merge(
    mut map: Map<String, Value>,
    patch: &Map<String, Value>,
    schema: Schema,
) -> Result<Map<String, Value>, PatchError> {
    match directives::manner(patch)? {
        Manner::Delete => return Ok(Map::new()),
        Manner::Replace => return Ok(directives::plain_map(patch)),
        Manner::Merge => {}
    }
    if let Some(kept) = directives::retained(patch)? {
        map.retain(|name, _| kept.contains(&name.as_str()));
    }
    // Values go before others come: a patch may do both to one list.
    for (name, value) in patch {
        if let Key::Deletion(field) = directives::key(name) {
            lists::delete_values(map.get_mut(field), value).map_err(|error| error.under(name))?;
        }
    }
    for (name, value) in patch {
        let outcome = match directives::key(name) {
            Key::Field(field) => merge_field(&mut map, field, value, patch, schema.child(field)),
            Key::Order(field) if !patch.contains_key(field) => {
                lists::reorder(map.get_mut(field), value, schema.child(field))
            }
            Key::Order(_) | Key::Deletion(_) | Key::OfTheMap => Ok(()),
        };
        outcome.map_err(|error| error.under(name))?;
    }
    Ok(map)
}

fn merge_field(
    map: &mut Map<String, Value>,
    field: &str,
    value: &Value,
    patch: &Map<String, Value>,
    schema: Schema,
) -> Result<(), PatchError> {
    let old = map.remove(field);
    let order = directives::order(patch, field);
    let new = match (old, value) {
        (_, Value::Null) => None,
        (Some(Value::Object(old)), Value::Object(patch)) => Some(Value::Object(merge(old, patch, schema)?)),
        (Some(Value::Array(old)), Value::Array(patch)) => {
            Some(Value::Array(lists::merge(old, patch, order, schema)?))
        }
        // Also checked when there is nothing to merge with.
        (_, Value::Array(patch)) => Some(Value::Array(lists::merge(Vec::new(), patch, order, schema)?)),
        (_, Value::Object(patch)) => Some(Value::Object(merge(Map::new(), patch, schema)?)),
        (_, value) => Some(value.clone()),
    };
    map.extend(new.map(|new| (field.to_owned(), new)));
    Ok(())
}
