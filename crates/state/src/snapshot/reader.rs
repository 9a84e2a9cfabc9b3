//! A snapshot's pieces, checked and put together again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::wire::{self, Record};
use super::{FORMAT, FRAME_BYTES, FRAME_HEAD, MAGIC, SnapshotError};
use crate::ring::{Event, EventKind, Ring};
use crate::{Entry, Key, State};

/// Makes a state of a snapshot's pieces, however they are cut.
#[derive(Default)]
pub struct SnapshotReader {
    buffer: BytesMut,
    state: State,
    head: Option<wire::Head>,
    end: Option<wire::End>,
    /// The ring that events belong to.
    ring: Option<Arc<str>>,
    received: HashMap<Key, Bytes>,
    objects: u64,
    events: u64,
}

impl SnapshotReader {
    /// Takes the next piece.
    ///
    /// # Errors
    /// [`SnapshotError`] as soon as something is wrong: the snapshot is of no use then.
    pub fn add(&mut self, piece: &[u8]) -> Result<(), SnapshotError> {
        self.buffer.extend_from_slice(piece);
        while let Some(body) = self.next_body()? {
            let record = wire::Frame::decode(body)?.record;
            self.take(record.ok_or(SnapshotError::Malformed("an unknown record"))?)?;
        }
        Ok(())
    }

    /// The state, once all pieces are in.
    ///
    /// # Errors
    /// When the end is missing, or the objects do not make the head's hash.
    pub fn finish(mut self) -> Result<State, SnapshotError> {
        let head = self.head.ok_or(SnapshotError::Malformed("it has no head"))?;
        let end = self.end.ok_or(SnapshotError::Malformed("it ends early"))?;
        if (end.objects, end.events) != (self.objects, self.events) {
            return Err(SnapshotError::Malformed("records are missing"));
        }
        self.state.revision = head.revision;
        self.state.floor = head.floor;
        self.state.verified(head.hash)
    }

    fn next_body(&mut self) -> Result<Option<Bytes>, SnapshotError> {
        if self.end.is_some() && !self.buffer.is_empty() {
            return Err(SnapshotError::Malformed("there are bytes behind its end"));
        }
        if self.buffer.len() < FRAME_HEAD {
            return Ok(None);
        }
        let mut head = &self.buffer[..FRAME_HEAD];
        let (length, checksum) = (head.get_u32() as usize, head.get_u32());
        if length > FRAME_BYTES {
            return Err(SnapshotError::Malformed("a record is too large"));
        }
        if self.buffer.len() < FRAME_HEAD + length {
            return Ok(None);
        }
        self.buffer.advance(FRAME_HEAD);
        // A copy: a slice would keep the whole piece in memory as long as one object.
        let body = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        if crc32fast::hash(&body) != checksum {
            return Err(SnapshotError::Checksum);
        }
        Ok(Some(body))
    }

    fn take(&mut self, record: Record) -> Result<(), SnapshotError> {
        match (record, self.head.is_some()) {
            (Record::Head(head), false) => self.take_head(head),
            (Record::Head(_), true) => Err(SnapshotError::Malformed("it has two heads")),
            (_, false) => Err(SnapshotError::Malformed("it does not start with its head")),
            (Record::Ring(ring), true) => {
                let resource: Arc<str> = ring.resource.into();
                self.ring = Some(resource.clone());
                self.state.rings.insert(resource, Ring { floor: ring.floor, ..Ring::default() });
                Ok(())
            }
            (Record::Event(event), true) => self.take_event(event),
            (Record::Object(object), true) => self.take_object(object),
            (Record::End(end), true) => {
                self.end = Some(end);
                Ok(())
            }
        }
    }

    fn take_head(&mut self, head: wire::Head) -> Result<(), SnapshotError> {
        if head.magic != MAGIC {
            return Err(SnapshotError::Malformed("it is no snapshot"));
        }
        if head.format > FORMAT {
            return Err(SnapshotError::Newer { found: head.format });
        }
        self.head = Some(head);
        Ok(())
    }

    fn take_event(&mut self, event: wire::Event) -> Result<(), SnapshotError> {
        self.events += 1;
        let resource = self.ring.clone().ok_or(SnapshotError::Malformed("an event without a ring"))?;
        let ring =
            self.state.rings.get_mut(&resource).ok_or(SnapshotError::Malformed("an event without a ring"))?;
        let kind = match event.kind {
            0 => EventKind::Added,
            1 => EventKind::Modified,
            2 => EventKind::Deleted,
            _ => return Err(SnapshotError::Malformed("an unknown kind of event")),
        };
        let key = Key { resource, namespace: event.namespace.into(), name: event.name.into() };
        let known = self.received.get(&key);
        let unknown = SnapshotError::Malformed("an event shares a value that was not sent");
        let (Some(value), Some(previous)) =
            (event.value.or_else(|| known.cloned()), event.previous.or_else(|| known.cloned()))
        else {
            return Err(unknown);
        };
        // A delete's two values are one.
        let value = if value == previous { previous.clone() } else { value };
        self.received.insert(key.clone(), value.clone());
        let (revision, previous_revision) = (event.revision, event.previous_revision);
        ring.push(Event { kind, key, revision, value, previous, previous_revision });
        Ok(())
    }

    fn take_object(&mut self, object: wire::Object) -> Result<(), SnapshotError> {
        self.objects += 1;
        let key = Key::new(&object.resource, &object.namespace, &object.name);
        let value = object.value.or_else(|| self.received.get(&key).cloned());
        let value = value.ok_or(SnapshotError::Malformed("an object shares a value that was not sent"))?;
        self.state.restore(key, Entry { value, revision: object.revision });
        Ok(())
    }
}
