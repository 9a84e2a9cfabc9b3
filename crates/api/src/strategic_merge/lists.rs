//! Lists: replaced, or merged item by item where the facts say so.

use serde_json::Value;

use super::directives::{self, Manner};
use super::items::{self, Identity};
use super::schema::Schema;
use super::{PatchError, maps, order};

/// What a patch makes of a list, in the order that it wishes for, or its own.
pub(super) fn merge(
    old: Vec<Value>,
    patch: &[Value],
    wish: Option<&Value>,
    schema: Schema,
) -> Result<Vec<Value>, PatchError> {
    let Some((identity, of_item)) = items::of(schema) else { return Ok(plain(patch)) };
    if patch.iter().any(directives::is_replace_marker) {
        return Ok(plain(patch));
    }
    let wish = wish.map(expect_list).transpose()?;
    let order = wish.unwrap_or(patch);
    let mut merged = old.clone();
    for (index, item) in patch.iter().enumerate() {
        merge_item(&mut merged, item, [patch, order], &identity, of_item)
            .and_then(|()| check_order(item, wish, &identity))
            .map_err(|error| error.under(&format!("[{index}]")))?;
    }
    Ok(order::arrange(merged, order, &old, &identity))
}

fn merge_item(
    list: &mut Vec<Value>,
    item: &Value,
    rivals: [&[Value]; 2],
    identity: &Identity,
    schema: Schema,
) -> Result<(), PatchError> {
    identity.check(item)?;
    if manner(item)? == Manner::Delete {
        list.retain(|other| !identity.mentions(item, other));
        return Ok(());
    }
    match (identity.find(list, item, rivals), item) {
        (Some(at), Value::Object(patch)) => {
            let old = match std::mem::take(&mut list[at]) {
                Value::Object(old) => old,
                _ => serde_json::Map::new(),
            };
            list[at] = Value::Object(maps::merge(old, patch, schema)?);
        }
        (Some(_), _) => {}
        (None, Value::Object(patch)) => {
            list.push(Value::Object(maps::merge(serde_json::Map::new(), patch, schema)?));
        }
        (None, _) => list.push(item.clone()),
    }
    Ok(())
}

fn manner(item: &Value) -> Result<Manner, PatchError> {
    item.as_object().map_or(Ok(Manner::Merge), directives::manner)
}

/// What a patch adds has a place in the order that it asks for.
fn check_order(item: &Value, wish: Option<&[Value]>, identity: &Identity) -> Result<(), PatchError> {
    let named = |order: &[Value]| order.iter().any(|mention| identity.mentions(mention, item));
    if wish.is_none_or(named) || manner(item)? == Manner::Delete {
        return Ok(());
    }
    Err(PatchError::new("this item is not named by the list's $setElementOrder"))
}

/// Brings a list that the patch does not change into the order that it asks for.
pub(super) fn reorder(list: Option<&mut Value>, wish: &Value, schema: Schema) -> Result<(), PatchError> {
    let wish = expect_list(wish)?;
    if let (Some(Value::Array(items)), Some((identity, _))) = (list, items::of(schema)) {
        let old = items.clone();
        *items = order::arrange(std::mem::take(items), wish, &old, &identity);
    }
    Ok(())
}

/// Takes values out of a list of plain values.
pub(super) fn delete_values(list: Option<&mut Value>, values: &Value) -> Result<(), PatchError> {
    let values = expect_list(values)?;
    if let Some(Value::Array(items)) = list {
        items.retain(|item| !values.contains(item));
    }
    Ok(())
}

fn expect_list(value: &Value) -> Result<&[Value], PatchError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| PatchError::new("expected a list"))
}

fn plain(patch: &[Value]) -> Vec<Value> {
    patch.iter().filter(|item| !directives::is_replace_marker(item)).filter_map(directives::plain).collect()
}
