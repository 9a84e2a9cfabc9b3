//! A state as bytes and back: whole, for a member that lags, and object by object, for
//! the disk.
//!
//! A snapshot is a sequence of frames, `[length u32, crc32 u32, body]`, each body one
//! prost record: a head (magic, format, revision, hash), then every ring with its
//! events, then every object, then an end that counts them. The rings travel along so
//! that watches go on over a member that was caught up by a snapshot. A value that an
//! event and its neighbour or its object share is sent once, and shared again here.

mod reader;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

pub use self::reader::SnapshotReader;
use crate::apply::fingerprint;
use crate::{Entry, Key, State};

const MAGIC: u32 = 0x5842_4543;
/// The newest snapshot format that this binary reads and writes.
const FORMAT: u32 = 1;
/// The largest frame, in bytes: more than any transaction may hold.
const FRAME_BYTES: usize = 64 << 20;
const FRAME_HEAD: usize = 8;

/// Bytes that do not make a state.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not a record of this crate.
    #[error("a damaged snapshot record: {0}")]
    Damaged(#[from] prost::DecodeError),
    /// A frame's checksum does not fit its bytes.
    #[error("a snapshot record fails its checksum")]
    Checksum,
    /// Records that contradict each other.
    #[error("a damaged snapshot: {0}")]
    Malformed(&'static str),
    /// Written by a newer binary.
    #[error("snapshot format {found} is newer than this binary's {FORMAT}: upgrade this master")]
    Newer {
        /// The format found.
        found: u32,
    },
    /// The records are whole, but not all of them are here, or one is twice.
    #[error("the snapshot's hash is {found:016x}, expected {expected:016x}: records are missing")]
    Hash {
        /// What its head says.
        expected: u64,
        /// What its records make.
        found: u64,
    },
}

/// One object as a record's bytes.
#[must_use]
pub fn encode_object(key: &Key, entry: &Entry) -> Bytes {
    object(key, entry, Some(entry.value.clone())).encode_to_vec().into()
}

fn object(key: &Key, entry: &Entry, value: Option<Bytes>) -> wire::Object {
    wire::Object {
        resource: key.resource.to_string(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        value,
        revision: entry.revision,
    }
}

/// Collects objects from the disk into a state.
#[derive(Default)]
pub struct StateBuilder(State);

impl StateBuilder {
    /// Adds one object.
    ///
    /// # Errors
    /// When the bytes are no record.
    pub fn add(&mut self, record: Bytes) -> Result<(), SnapshotError> {
        let record = wire::Object::decode(record)?;
        let value = record.value.ok_or(SnapshotError::Malformed("an object without a value"))?;
        let key = Key::new(&record.resource, &record.namespace, &record.name);
        self.0.restore(key, Entry { value, revision: record.revision });
        Ok(())
    }

    /// The state, at a revision. Watchers from before it are told to list again.
    ///
    /// # Errors
    /// When the objects do not make the expected hash.
    pub fn finish(mut self, revision: u64, hash: u64) -> Result<State, SnapshotError> {
        self.0.revision = revision;
        self.0.floor = revision;
        self.0.verified(hash)
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

    fn restore(&mut self, key: Key, entry: Entry) {
        self.hash = self.hash.wrapping_add(fingerprint(&key, &entry));
        self.objects.entry(key.resource).or_default().insert((key.namespace, key.name), entry);
    }

    fn verified(self, expected: u64) -> Result<Self, SnapshotError> {
        if self.hash == expected {
            return Ok(self);
        }
        Err(SnapshotError::Hash { expected, found: self.hash })
    }
}
