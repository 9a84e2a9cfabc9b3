//! A state as a sequence of records, for snapshots and for the disk, and back.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::apply::fingerprint;
use crate::{Entry, Key, State};

/// One object as a record. Field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
struct ObjectRecord {
    #[prost(string, tag = "1")]
    resource: String,
    #[prost(string, tag = "2")]
    namespace: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(bytes = "bytes", tag = "4")]
    value: Bytes,
    #[prost(uint64, tag = "5")]
    revision: u64,
}

/// Records that do not make a state.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not a record of this crate.
    #[error("a damaged snapshot record: {0}")]
    Damaged(#[from] prost::DecodeError),
    /// The records are whole, but not all of them are here, or one is twice.
    #[error("the snapshot's hash is {found:016x}, expected {expected:016x}: records are missing")]
    Hash {
        /// What its end says.
        expected: u64,
        /// What its records make.
        found: u64,
    },
}

/// One object as a record's bytes.
#[must_use]
pub fn encode_object(key: &Key, entry: &Entry) -> Bytes {
    let record = ObjectRecord {
        resource: key.resource.to_string(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        value: entry.value.clone(),
        revision: entry.revision,
    };
    record.encode_to_vec().into()
}

/// Collects records into a state.
#[derive(Default)]
pub struct StateBuilder(State);

impl StateBuilder {
    /// Adds one object.
    ///
    /// # Errors
    /// When the bytes are no record.
    pub fn add(&mut self, record: Bytes) -> Result<(), SnapshotError> {
        let record = ObjectRecord::decode(record)?;
        let key = Key::new(&record.resource, &record.namespace, &record.name);
        let entry = Entry { value: record.value, revision: record.revision };
        self.0.hash = self.0.hash.wrapping_add(fingerprint(&key, &entry));
        let objects = self.0.objects.entry(key.resource).or_default();
        objects.insert((key.namespace, key.name), entry);
        Ok(())
    }

    /// The state, at a revision. Watchers from before it are told to list again.
    ///
    /// # Errors
    /// When the objects do not make the expected hash.
    pub fn finish(mut self, revision: u64, hash: u64) -> Result<State, SnapshotError> {
        if self.0.hash != hash {
            return Err(SnapshotError::Hash { expected: hash, found: self.0.hash });
        }
        self.0.revision = revision;
        self.0.floor = revision;
        Ok(self.0)
    }
}

impl State {
    /// Every object with its key, in order.
    pub fn objects(&self) -> impl Iterator<Item = (Key, &Entry)> {
        self.objects.iter().flat_map(|(resource, objects)| {
            objects.iter().map(move |((namespace, name), entry)| {
                let key =
                    Key { resource: Arc::clone(resource), namespace: namespace.clone(), name: name.clone() };
                (key, entry)
            })
        })
    }
}
