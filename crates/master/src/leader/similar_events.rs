//! Which events are one of many that differ in their message alone, such as that of each pod of
//! a large set: they are written as one, as in Kubernetes, or they would cost as much as the pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use xebec_controllers::EventRecord;

/// What the message of an event begins with that stands for many.
pub(crate) const COMBINED: &str = "(combined from similar events): ";

/// With so many messages they are combined.
const MANY: usize = 10;
/// After so long without another one they are counted anew.
const FORGOTTEN_SECONDS: i64 = 600;
/// Groups of similar events that are remembered.
const MOST_GROUPS: usize = 4096;

/// Stands for a text, or several.
type Hash = [u8; 8];

/// The events of a term by what they have in common. See the module.
#[derive(Default)]
pub(crate) struct Similar {
    groups: Mutex<BTreeMap<Hash, Group>>,
}

#[derive(Default)]
struct Group {
    messages: BTreeSet<Hash>,
    last: Timestamp,
}

impl Group {
    fn is_old(&self, now: Timestamp) -> bool {
        now.as_second() - self.last.as_second() > FORGOTTEN_SECONDS
    }
}

impl Similar {
    /// Notes an event, and says whether it is one of many.
    pub(crate) fn is_one_of_many(&self, event: &EventRecord, now: Timestamp) -> bool {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let key = digest(&[&event.involved.uid, event.kind.as_str(), &event.reason, event.component]);
        if groups.len() >= MOST_GROUPS && !groups.contains_key(&key) {
            groups.retain(|_, group| !group.is_old(now));
            if groups.len() >= MOST_GROUPS {
                groups.clear();
            }
        }
        let group = groups.entry(key).or_default();
        if group.is_old(now) {
            group.messages.clear();
        }
        group.last = now;
        if group.messages.len() < MANY {
            group.messages.insert(digest(&[&event.message]));
        }
        group.messages.len() >= MANY
    }
}

/// A hash of texts, in their order.
pub(crate) fn digest(parts: &[&str]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut short = Hash::default();
    short.copy_from_slice(&hash.finalize()[..8]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use xebec_api::object::Object;
    use xebec_controllers::{EventKind, Involved};

    fn event(set: &str, message: usize) -> EventRecord {
        let mut object = Object::default();
        object.set(&["metadata", "uid"], set);
        EventRecord {
            involved: Involved::of(&object),
            reason: "SuccessfulCreate".to_owned(),
            message: format!("Created pod: {message}"),
            kind: EventKind::Normal,
            component: "test",
        }
    }

    #[test]
    fn the_tenth_message_and_those_after_it_are_combined_until_there_is_quiet() {
        let (similar, now) = (Similar::default(), Timestamp::UNIX_EPOCH);
        let later = now.checked_add(jiff::SignedDuration::from_secs(601)).expect("in range");
        let many = |set: &str, numbers: std::ops::Range<usize>, now: Timestamp| {
            numbers.filter(|number| similar.is_one_of_many(&event(set, *number), now)).collect::<Vec<_>>()
        };
        assert_eq!(many("a", 0..12, now), [9, 10, 11]);
        assert_eq!(many("a", 0..1, now), [0], "also one that was told before");
        assert_eq!(many("b", 0..9, now), [0; 0], "another object has its own");
        assert_eq!(many("b", 0..9, now), [0; 0], "the same messages are not more");
        assert_eq!(many("a", 20..30, later), [29]);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let (similar, now) = (Similar::default(), Timestamp::UNIX_EPOCH);
        for set in 0..2 * MOST_GROUPS {
            similar.is_one_of_many(&event(&set.to_string(), 0), now);
        }
        assert!(similar.groups.lock().expect("not poisoned").len() <= MOST_GROUPS);
    }
}
