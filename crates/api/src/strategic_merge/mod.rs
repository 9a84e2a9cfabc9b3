//! Strategic merge patches: JSON merge patches that know, from the table of facts, which
//! lists are merged item by item and by which key, and that take directives:
//!
//! | directive | what it does |
//! |---|---|
//! | `$patch: replace` | the map, or the list that an item with it is in, takes the place of what was there |
//! | `$patch: delete` | empties the map, or removes the item with that key |
//! | `$patch: merge` | says what would happen anyway |
//! | `$retainKeys: [...]` | what is not named goes |
//! | `$setElementOrder/LIST: [...]` | the order of the items named; the others stay among them |
//! | `$deleteFromPrimitiveList/LIST: [...]` | these values go |
//!
//! Pure, and independent of what the object is: a field without facts merges as JSON does,
//! and is left to decoding to refuse.

mod directives;
mod items;
mod lists;
mod maps;
mod order;
mod schema;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::facts::Type;

/// A patch that cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct PatchError {
    /// Where in the patch, such as `spec.template.spec.containers[1]`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl PatchError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    /// The same, of a value that lies under `step`: `name` or `[3]`.
    fn under(mut self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }
}

/// What the patch makes of an object of this type.
///
/// # Errors
/// Names the place in the patch that is wrong.
pub fn apply(
    of: &'static Type,
    object: Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, PatchError> {
    maps::merge(object, patch, schema::Schema::Struct(of))
}
