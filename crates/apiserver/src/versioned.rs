//! Between what the store holds (without `resourceVersion`) and what clients see.

use bytes::Bytes;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_state::Entry;

/// The object of an entry, with its revision as `metadata.resourceVersion`.
pub(crate) fn to_object(entry: &Entry) -> Result<Object, ApiError> {
    from_parts(&entry.value, entry.revision)
}

/// The object of a value at a revision.
pub(crate) fn from_parts(value: &Bytes, revision: u64) -> Result<Object, ApiError> {
    let mut object = Object::from_json(value).map_err(|error| {
        ApiError::new(Reason::InternalError, format!("a damaged object in the store: {error}"))
    })?;
    object.set(&["metadata", "resourceVersion"], revision.to_string());
    Ok(object)
}

/// What goes into the store.
pub(crate) fn to_value(object: &Object) -> Bytes {
    let mut object = object.clone();
    object.remove(&["metadata", "resourceVersion"]);
    object.to_json().into()
}

/// Reads a `resourceVersion` of a request; `""` is none.
pub(crate) fn parse_revision(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let revision = text.parse().map_err(|_| {
        ApiError::new(
            Reason::BadRequest,
            format!("resourceVersion: Invalid value: {text:?}: must be a number"),
        )
    })?;
    Ok(Some(revision))
}
