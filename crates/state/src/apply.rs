//! One transaction, applied. Deterministic: the same states and transactions give
//! the same states, replies and hashes on every replica.

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::ring::{Event, EventKind};
use crate::{Entry, HashAt, Key, Operation, Precondition, Refusal, Reply, State, Transaction};

/// This replica must stop, for going on would let replicas drift apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this replica's state differs from the leader's at revision {revision} \
     (hash {found:016x}, expected {expected:016x}): set its data folder aside and rejoin"
)]
pub struct Halt {
    /// Where the states were compared.
    pub revision: u64,
    /// The leader's hash.
    pub expected: u64,
    /// This replica's hash.
    pub found: u64,
}

impl State {
    /// Applies one transaction of an entry of `term`.
    ///
    /// # Errors
    /// [`Halt`] when the transaction carries a hash that this state contradicts.
    pub fn apply(&mut self, transaction: &Transaction, term: u64) -> Result<Reply, Halt> {
        if let Some(expected) = transaction.expect_hash {
            self.compare(expected)?;
        }
        if transaction.fence.is_some_and(|fence| fence != term) {
            return Ok(Reply::Refused(Refusal::Fenced { term }));
        }
        for (index, precondition) in transaction.preconditions.iter().enumerate() {
            if let Err(found) = self.check(precondition) {
                return Ok(Reply::Refused(Refusal::Precondition { index, found }));
            }
        }
        let revisions = transaction.operations.iter().map(|operation| self.perform(operation)).collect();
        Ok(Reply::Applied { revisions })
    }

    fn compare(&self, expected: HashAt) -> Result<(), Halt> {
        if expected.revision == self.revision && expected.hash != self.hash {
            return Err(Halt { revision: self.revision, expected: expected.hash, found: self.hash });
        }
        Ok(())
    }

    fn check(&self, precondition: &Precondition) -> Result<(), Option<u64>> {
        let (key, holds): (_, fn(Option<u64>, u64) -> bool) = match precondition {
            Precondition::Absent(key) => (key, |found, _| found.is_none()),
            Precondition::Exists(key) => (key, |found, _| found.is_some()),
            Precondition::AtRevision(key, _) => (key, |found, wanted| found == Some(wanted)),
        };
        let wanted = match precondition {
            Precondition::AtRevision(_, revision) => *revision,
            Precondition::Absent(_) | Precondition::Exists(_) => 0,
        };
        let found = self.get(key).map(|entry| entry.revision);
        if holds(found, wanted) { Ok(()) } else { Err(found) }
    }

    fn perform(&mut self, operation: &Operation) -> u64 {
        match operation {
            Operation::Put(key, value) => self.put(key, value.clone()),
            Operation::Delete(key) => self.delete(key),
        }
        self.revision
    }

    fn put(&mut self, key: &Key, value: Bytes) {
        self.revision += 1;
        let entry = Entry { value: value.clone(), revision: self.revision };
        self.hash = self.hash.wrapping_add(fingerprint(key, &entry));
        let objects = self.objects.entry(key.resource.clone()).or_default();
        let old = objects.insert((key.namespace.clone(), key.name.clone()), entry);
        let (kind, previous) = match old {
            Some(old) => {
                self.hash = self.hash.wrapping_sub(fingerprint(key, &old));
                (EventKind::Modified, old)
            }
            None => (EventKind::Added, Entry { value: Bytes::new(), revision: 0 }),
        };
        self.publish(Event {
            kind,
            key: key.clone(),
            revision: self.revision,
            value,
            previous: previous.value,
            previous_revision: previous.revision,
        });
    }

    fn delete(&mut self, key: &Key) {
        let Some(objects) = self.objects.get_mut(&key.resource) else { return };
        let Some(old) = objects.remove(&(key.namespace.clone(), key.name.clone())) else { return };
        if objects.is_empty() {
            self.objects.remove(&key.resource);
        }
        self.revision += 1;
        self.hash = self.hash.wrapping_sub(fingerprint(key, &old));
        self.publish(Event {
            kind: EventKind::Deleted,
            key: key.clone(),
            revision: self.revision,
            value: old.value.clone(),
            previous: old.value,
            previous_revision: old.revision,
        });
    }

    fn publish(&mut self, event: Event) {
        self.rings.entry(event.key.resource.clone()).or_default().push(event);
    }
}

/// One object's share of the state's hash. The sum over all objects does not depend
/// on their order, so it can be kept up to date by adding and subtracting.
pub(crate) fn fingerprint(key: &Key, entry: &Entry) -> u64 {
    let mut hasher = Xxh3::new();
    for part in [&key.resource, &key.namespace, &key.name] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&entry.revision.to_le_bytes());
    hasher.update(&entry.value);
    hasher.digest()
}
