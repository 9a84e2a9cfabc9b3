//! Objects as they lie in the store: canonical JSON without `resourceVersion`, which
//! is the entry's revision and put in on the way out.

use bytes::Bytes;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_state::{Entry, Key, Operation};

const RESOURCE_VERSION: &[&str] = &["metadata", "resourceVersion"];

/// Reads an entry.
pub(crate) fn decode(entry: &Entry) -> Result<Object, ApiError> {
    decode_at(&entry.value, entry.revision)
}

/// Reads a value as it was at a revision.
pub(crate) fn decode_at(value: &Bytes, revision: u64) -> Result<Object, ApiError> {
    let mut object = Object::from_json(value).map_err(|error| {
        ApiError::new(Reason::InternalError, format!("a stored object cannot be read: {error}"))
    })?;
    set_revision(&mut object, revision);
    Ok(object)
}

/// Says which revision an object is.
pub(crate) fn set_revision(object: &mut Object, revision: u64) {
    object.set(RESOURCE_VERSION, revision.to_string());
}

/// The bytes to store.
pub(crate) fn encode(object: &Object) -> Bytes {
    let mut object = object.clone();
    object.remove(RESOURCE_VERSION);
    object.to_json().into()
}

/// The operation that stores an object.
pub(crate) fn put(key: Key, object: &Object) -> Operation {
    Operation::Put(key, encode(object))
}
