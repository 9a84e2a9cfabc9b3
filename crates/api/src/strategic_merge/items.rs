//! What makes two items of a merging list the same one: their value, or the value of the
//! merge key.
//!
//! Ports have a merge key, their number, which two of them may share (53 over UDP and TCP).
//! Where a list has further keys for server-side apply, they are compared as well: items
//! that agree in all keys are the same; items that agree in the merge key alone are so only
//! if the patch speaks of one item with that key, which is then about to change the others.

use serde_json::Value;

use super::PatchError;
use super::schema::Schema;
use crate::facts::{self, Field, Shape};

/// How items of one list are told apart.
pub(super) enum Identity {
    /// By what they are.
    Value,
    /// By what they have under keys.
    Keys {
        /// The one that every item of a patch must have.
        merge_key: &'static str,
        /// The others, and what they are when they are left out.
        others: Vec<(&'static str, Value)>,
    },
}

impl Identity {
    /// Of the items of a list that merges.
    pub(super) fn of(field: &'static Field) -> Self {
        let merge_key = field.merge_key;
        if merge_key.is_empty() {
            return Self::Value;
        }
        let keys = field.list.into_iter().flat_map(facts::List::keys);
        let others = keys.filter(|key| *key != merge_key).map(|key| (key, default(field, key)));
        Self::Keys { merge_key, others: others.collect() }
    }

    /// Whether an item of a patch can be placed at all.
    pub(super) fn check(&self, item: &Value) -> Result<(), PatchError> {
        match self {
            Self::Value if item.is_object() || item.is_array() => {
                Err(PatchError::new("expected a plain value: the items of this list have no fields"))
            }
            Self::Keys { .. } if !item.is_object() => {
                Err(PatchError::new(format!("expected a map, not {item}")))
            }
            Self::Keys { merge_key, .. } if item.get(merge_key).is_none_or(Value::is_null) => {
                Err(PatchError::new(format!(
                    "{merge_key}: Required value: it tells the items of this list apart"
                )))
            }
            _ => Ok(()),
        }
    }

    /// All keys agree; a key that is left out has its default.
    pub(super) fn same(&self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Value => a == b,
            Self::Keys { others, .. } => {
                let other = |item: &Value, (key, default): &(&str, Value)| {
                    item.get(key).filter(|value| !value.is_null()).unwrap_or(default).clone()
                };
                self.alike(a, b) && others.iter().all(|key| other(a, key) == other(b, key))
            }
        }
    }

    /// The keys that `mention` gives agree: of what may be as short as the merge key.
    pub(super) fn mentions(&self, mention: &Value, item: &Value) -> bool {
        match self {
            Self::Value => mention == item,
            Self::Keys { others, .. } => {
                let given = others.iter().any(|(key, _)| mention.get(key).is_some());
                if given { self.same(mention, item) } else { self.alike(mention, item) }
            }
        }
    }

    /// The place of an item in a list; `rivals` are the items that the patch speaks of: that
    /// it changes, and that it orders.
    pub(super) fn find(&self, list: &[Value], item: &Value, rivals: [&[Value]; 2]) -> Option<usize> {
        let exact = list.iter().position(|other| self.same(other, item));
        let few = |of: &[Value]| of.iter().filter(|rival| self.alike(rival, item)).count() < 2;
        let alone = || rivals.into_iter().all(few);
        exact.or_else(|| list.iter().position(|other| self.alike(other, item)).filter(|_| alone()))
    }

    /// The merge key agrees.
    fn alike(&self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Value => a == b,
            Self::Keys { merge_key, .. } => {
                a.get(merge_key).is_some() && a.get(merge_key) == b.get(merge_key)
            }
        }
    }
}

fn default(of: &'static Field, key: &str) -> Value {
    let Shape::List(inner) = &of.shape else { return Value::Null };
    let field = inner.reference().and_then(facts::get).and_then(|item| item.field(key));
    let json = field.and_then(|field| field.default).unwrap_or("null");
    serde_json::from_str(json).unwrap_or_default()
}

/// The identity of the items of a list, and what is known of each; `None` for a list that
/// is replaced as a whole.
pub(super) fn of(schema: Schema) -> Option<(Identity, Schema)> {
    schema.merging_list().map(|field| (Identity::of(field), schema.item()))
}
