//! The last events of one resource, bounded by bytes. Watchers hold nothing but a
//! revision and read from here, so a slow one costs no memory and loses its place
//! (410 Gone) when the ring has moved past it.

use bytes::Bytes;
use imbl::Vector;

use crate::Key;

/// Bytes of values that a ring keeps, both sides of each event counted.
pub(crate) const RING_BYTES: usize = 4 << 20;

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The object was not there before.
    Added,
    /// The object was there before.
    Modified,
    /// The object is gone.
    Deleted,
}

/// One mutation, as watchers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub key: Key,
    /// At which revision.
    pub revision: u64,
    /// The object after it; for a delete, as it was last.
    pub value: Bytes,
    /// The object before it, so that a selector sees objects leave; empty when added.
    pub previous: Bytes,
    /// The revision of the object before it; 0 when added.
    pub previous_revision: u64,
}

/// The revision asked for lies before what the ring still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: events up to {floor} are gone")]
pub struct Compacted {
    /// The newest revision that was dropped.
    pub floor: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ring {
    pub(crate) events: Vector<Event>,
    pub(crate) bytes: usize,
    /// The newest revision that was dropped.
    pub(crate) floor: u64,
}

impl Ring {
    pub(crate) fn push(&mut self, event: Event) {
        self.bytes += size(&event);
        self.events.push_back(event);
        while self.bytes > RING_BYTES && self.events.len() > 1 {
            let oldest = self.events.pop_front().expect("more than one event");
            self.bytes -= size(&oldest);
            self.floor = oldest.revision;
        }
    }

    pub(crate) fn last(&self) -> Option<u64> {
        self.events.last().map(|event| event.revision)
    }

    pub(crate) fn after(&self, revision: u64) -> Result<Vec<Event>, Compacted> {
        if revision < self.floor {
            return Err(Compacted { floor: self.floor });
        }
        let start = match self.events.binary_search_by_key(&revision, |event| event.revision) {
            Ok(found) => found + 1,
            Err(insertion) => insertion,
        };
        Ok(self.events.skip(start).into_iter().collect())
    }
}

fn size(event: &Event) -> usize {
    event.value.len() + event.previous.len() + event.key.name.len() + 64
}
