//! A state as a snapshot's frames, made lazily: the source is an O(1) clone, and no more
//! than a piece is held as bytes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use super::wire::{self, Record};
use super::{FORMAT, FRAME_HEAD, MAGIC, object};
use crate::ring::Event;
use crate::{Entry, Key, State};

impl State {
    /// This state as a snapshot's bytes, in pieces of about `piece_bytes`; one with a
    /// large object is larger. Made lazily: no more than a piece is held.
    pub fn into_snapshot(self, piece_bytes: usize) -> impl Iterator<Item = Bytes> + Send {
        let mut frames = Frames::of(self);
        std::iter::from_fn(move || {
            let mut piece = BytesMut::new();
            while piece.len() < piece_bytes {
                let Some(record) = frames.next() else { break };
                put_frame(&mut piece, record);
            }
            (!piece.is_empty()).then(|| piece.freeze())
        })
    }
}

pub(super) fn put_frame(piece: &mut BytesMut, record: Record) {
    let frame = wire::Frame { record: Some(record) };
    let length = frame.encoded_len();
    piece.reserve(FRAME_HEAD + length);
    piece.put_u32(u32::try_from(length).expect("a record is bounded like a transaction"));
    let checksum_at = piece.len();
    piece.put_u32(0);
    frame.encode(piece).expect("the buffer grows");
    let checksum = crc32fast::hash(&piece[checksum_at + 4..]);
    piece[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_be_bytes());
}

/// The records of a snapshot, one at a time.
struct Frames {
    state: State,
    stage: Stage,
    /// The last value of each key that was sent in an event.
    sent: HashMap<Key, Bytes>,
    objects: u64,
    events: u64,
}

enum Stage {
    Head,
    Ring(Option<Arc<str>>),
    Event(Arc<str>, usize),
    Object(Option<Key>),
    Done,
}

impl Frames {
    fn of(state: State) -> Self {
        Self { state, stage: Stage::Head, sent: HashMap::new(), objects: 0, events: 0 }
    }

    fn next(&mut self) -> Option<Record> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Head => {
                    self.stage = Stage::Ring(None);
                    return Some(Record::Head(self.head()));
                }
                Stage::Ring(after) => match self.ring_after(after.as_ref()) {
                    Some((resource, floor)) => {
                        let record = wire::Ring { resource: resource.to_string(), floor };
                        self.stage = Stage::Event(resource, 0);
                        return Some(Record::Ring(record));
                    }
                    None => self.stage = Stage::Object(None),
                },
                Stage::Event(resource, index) => match self.event_at(&resource, index) {
                    Some(event) => {
                        self.stage = Stage::Event(resource, index + 1);
                        return Some(Record::Event(self.event(event)));
                    }
                    None => self.stage = Stage::Ring(Some(resource)),
                },
                Stage::Object(after) => match self.object_after(after.as_ref()) {
                    Some((key, entry)) => {
                        let record = self.object(&key, &entry);
                        self.stage = Stage::Object(Some(key));
                        return Some(Record::Object(record));
                    }
                    None => {
                        return Some(Record::End(wire::End { objects: self.objects, events: self.events }));
                    }
                },
                Stage::Done => return None,
            }
        }
    }

    fn head(&self) -> wire::Head {
        let State { revision, hash, floor, .. } = self.state;
        wire::Head { magic: MAGIC, format: FORMAT, revision, hash, floor }
    }

    fn ring_after(&self, after: Option<&Arc<str>>) -> Option<(Arc<str>, u64)> {
        let mut rings = match after {
            Some(after) => self.state.rings.range::<_, Arc<str>>(after.clone()..),
            None => self.state.rings.range::<_, Arc<str>>(..),
        };
        let next = rings.find(|(resource, _)| Some(*resource) != after)?;
        Some((next.0.clone(), next.1.floor))
    }

    fn event_at(&self, resource: &Arc<str>, index: usize) -> Option<Event> {
        self.state.rings.get(resource)?.events.get(index).cloned()
    }

    fn event(&mut self, event: Event) -> wire::Event {
        self.events += 1;
        let known = self.sent.insert(event.key.clone(), event.value.clone());
        let share = |bytes: &Bytes| Some(bytes) != known.as_ref();
        wire::Event {
            kind: event.kind as u32,
            namespace: event.key.namespace.to_string(),
            name: event.key.name.to_string(),
            revision: event.revision,
            value: share(&event.value).then_some(event.value),
            previous: share(&event.previous).then_some(event.previous),
            previous_revision: event.previous_revision,
        }
    }

    fn object_after(&self, after: Option<&Key>) -> Option<(Key, Entry)> {
        let Some(after) = after else {
            return self.state.objects().next().map(|(key, entry)| (key, entry.clone()));
        };
        let position = Some((&*after.namespace, &*after.name));
        if let Some((namespace, name, entry)) = self.state.list_after(&after.resource, None, position).next()
        {
            let key = Key { namespace: namespace.clone(), name: name.clone(), ..after.clone() };
            return Some((key, entry.clone()));
        }
        let mut later = self.state.objects.range::<_, Arc<str>>(after.resource.clone()..);
        let (resource, objects) = later.find(|(resource, _)| **resource != after.resource)?;
        let ((namespace, name), entry) = objects.get_min()?;
        let key = Key { resource: resource.clone(), namespace: namespace.clone(), name: name.clone() };
        Some((key, entry.clone()))
    }

    fn object(&mut self, key: &Key, entry: &Entry) -> wire::Object {
        self.objects += 1;
        let shared = self.sent.get(key) == Some(&entry.value);
        object(key, entry, (!shared).then(|| entry.value.clone()))
    }
}
