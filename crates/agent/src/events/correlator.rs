//! Which events are sent, and as what: the same again raises the count of the one that is
//! there, and a pod that has too much to tell is not heard for a while. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Told;

/// Kubernetes' own: so many at once, then one in five minutes, for each pod.
const BURST: f64 = 25.0;
const PER_SECOND: f64 = 1.0 / 300.0;
/// Events that are remembered; the one that was quiet longest is forgotten first.
const REMEMBERED: usize = 2048;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// A new event.
    New,
    /// One that is there, with its new count.
    Again(Known),
    /// Nothing: there were too many.
    Nothing,
}

/// An event that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) count: u64,
    last: Timestamp,
}

struct Bucket {
    left: f64,
    at: Timestamp,
}

/// What makes two events the same: pod, field, reason, message.
type Key = (String, String, &'static str, String);

#[derive(Default)]
pub(super) struct Correlator {
    known: BTreeMap<Key, Known>,
    buckets: BTreeMap<String, Bucket>,
}

fn key(told: &Told) -> Key {
    (told.uid.clone(), told.field_path.clone(), told.reason, told.message.clone())
}

impl Correlator {
    pub(super) fn admit(&mut self, told: &Told) -> Sending {
        if !self.take(&told.uid, told.at) {
            return Sending::Nothing;
        }
        match self.known.get_mut(&key(told)) {
            Some(known) => {
                known.count += 1;
                known.last = told.at;
                Sending::Again(known.clone())
            }
            None => Sending::New,
        }
    }

    /// The API took a new one, under this name.
    pub(super) fn made(&mut self, told: &Told, name: &str) {
        self.known.insert(key(told), Known { name: name.to_owned(), count: 1, last: told.at });
        if self.known.len() > REMEMBERED {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.last).map(|(key, _)| key.clone());
            self.known.remove(&oldest.expect("there are more than none"));
        }
    }

    pub(super) fn forget(&mut self, told: &Told) {
        self.known.remove(&key(told));
    }

    /// Takes one of a pod's tokens, if there is one left.
    fn take(&mut self, uid: &str, now: Timestamp) -> bool {
        let refilled = |bucket: &Bucket| {
            let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
            (bucket.left + passed * PER_SECOND).min(BURST)
        };
        if self.buckets.len() > REMEMBERED {
            self.buckets.retain(|_, bucket| refilled(bucket) < BURST);
        }
        let left = self.buckets.get(uid).map_or(BURST, refilled);
        let taken = left >= 1.0;
        let left = if taken { left - 1.0 } else { left };
        self.buckets.insert(uid.to_owned(), Bucket { left, at: now });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pod: &str, message: &str, second: i64) -> Told {
        Told {
            namespace: "default".into(),
            pod: pod.into(),
            uid: pod.into(),
            field_path: String::new(),
            warning: true,
            reason: "BackOff",
            message: message.into(),
            at: Timestamp::from_second(second).expect("a time"),
        }
    }

    #[test]
    fn the_same_again_raises_the_count_of_the_one_that_is_there() {
        let mut correlator = Correlator::default();
        assert_eq!(correlator.admit(&told("a", "x", 0)), Sending::New);
        correlator.made(&told("a", "x", 0), "a.1");
        let again = |count, second| Known { name: "a.1".into(), count, last: told("", "", second).at };
        assert_eq!(correlator.admit(&told("a", "x", 5)), Sending::Again(again(2, 5)));
        assert_eq!(correlator.admit(&told("a", "x", 9)), Sending::Again(again(3, 9)));
        assert_eq!(correlator.admit(&told("a", "y", 9)), Sending::New);
        correlator.forget(&told("a", "x", 9));
        assert_eq!(correlator.admit(&told("a", "x", 9)), Sending::New);
    }

    #[test]
    fn a_pod_that_tells_too_much_is_heard_once_in_five_minutes() {
        let mut correlator = Correlator::default();
        let mut heard = |pod, seconds: std::ops::Range<i64>| {
            seconds.filter(|second| correlator.admit(&told(pod, "x", *second)) != Sending::Nothing).count()
        };
        assert_eq!(heard("a", 0..100), 25);
        assert_eq!(heard("b", 0..10), 10, "another pod has its own");
        assert_eq!(heard("a", 100..930), 3);
    }
}
