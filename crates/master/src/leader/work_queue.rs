//! Which keys to work on, and when: each key at most once at a time, at most once in the
//! queue, later after failures. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// The delay after the first failure; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
/// The longest delay after a failure.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// How work on a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is done, for now or until a time from now.
    Done(Option<Duration>),
    /// It is tried again after a back-off.
    Failed,
}

/// A queue of keys.
pub(crate) struct WorkQueue<K> {
    ready: VecDeque<K>,
    queued: BTreeSet<K>,
    running: BTreeSet<K>,
    /// Added while running: to be worked on again.
    dirty: BTreeSet<K>,
    later: BTreeSet<(Instant, K)>,
    due: BTreeMap<K, Instant>,
    failures: BTreeMap<K, u32>,
}

impl<K: Clone + Ord> Default for WorkQueue<K> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            queued: BTreeSet::new(),
            running: BTreeSet::new(),
            dirty: BTreeSet::new(),
            later: BTreeSet::new(),
            due: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }
}

impl<K: Clone + Ord> WorkQueue<K> {
    /// Asks for work on a key: now, or after the work that is under way.
    pub(crate) fn add(&mut self, key: K) {
        if self.running.contains(&key) {
            self.dirty.insert(key);
        } else if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// The next key to work on; it counts as running until [`WorkQueue::finish`].
    pub(crate) fn pop(&mut self, now: Instant) -> Option<K> {
        while let Some((at, key)) = self.later.first().cloned().filter(|(at, _)| *at <= now) {
            self.later.remove(&(at, key.clone()));
            self.due.remove(&key);
            self.add(key);
        }
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        // Working on it answers again when to come back.
        self.forget_later(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// The work on a key ended.
    pub(crate) fn finish(&mut self, key: K, ended: Ended, now: Instant) {
        self.running.remove(&key);
        let dirty = self.dirty.remove(&key);
        match ended {
            Ended::Failed => {
                let failures = self.failures.entry(key.clone()).or_default();
                let delay = FIRST_BACKOFF.saturating_mul(2u32.saturating_pow(*failures)).min(LONGEST_BACKOFF);
                *failures = failures.saturating_add(1);
                self.add_at(key, now + delay);
            }
            Ended::Done(again) => {
                self.failures.remove(&key);
                if dirty {
                    self.add(key);
                } else if let Some(delay) = again {
                    self.add_at(key, now + delay);
                }
            }
        }
    }

    /// When the next delayed key is due; ready ones do not count.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    fn add_at(&mut self, key: K, at: Instant) {
        self.forget_later(&key);
        self.due.insert(key.clone(), at);
        self.later.insert((at, key));
    }

    fn forget_later(&mut self, key: &K) {
        if let Some(at) = self.due.remove(key) {
            self.later.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_queued_once_and_never_runs_twice_at_a_time() {
        let mut queue = WorkQueue::default();
        let now = Instant::now();
        queue.add("a");
        queue.add("b");
        queue.add("a");
        assert_eq!((queue.pop(now), queue.pop(now), queue.pop(now)), (Some("a"), Some("b"), None));
        queue.add("a");
        assert_eq!(queue.pop(now), None, "it runs");
        queue.finish("a", Ended::Done(Some(Duration::from_secs(9))), now);
        assert_eq!((queue.pop(now), queue.next_due()), (Some("a"), None), "it was asked for meanwhile");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_back_off_and_success_forgets_them() {
        let mut queue = WorkQueue::default();
        queue.add("a");
        let mut delays = Vec::new();
        for _ in 0..14 {
            let now = queue.next_due().unwrap_or_else(Instant::now);
            assert_eq!(queue.pop(now), Some("a"));
            queue.finish("a", Ended::Failed, now);
            delays.push((queue.next_due().expect("later") - now).as_millis());
        }
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 30_000, 30_000]);
        let now = queue.next_due().expect("later");
        queue.pop(now);
        queue.finish("a", Ended::Done(None), now);
        assert_eq!(queue.next_due(), None);
        queue.add("a");
        queue.pop(now);
        queue.finish("a", Ended::Failed, now);
        assert_eq!(queue.next_due(), Some(now + FIRST_BACKOFF));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_comes_before_a_delay_and_replaces_it() {
        let mut queue = WorkQueue::default();
        let now = Instant::now();
        queue.add("a");
        queue.pop(now);
        queue.finish("a", Ended::Done(Some(Duration::from_secs(5))), now);
        assert_eq!(queue.pop(now), None);
        queue.add("a");
        assert_eq!((queue.pop(now), queue.next_due()), (Some("a"), None));
        queue.finish("a", Ended::Done(Some(Duration::from_secs(7))), now);
        let due = now + Duration::from_secs(7);
        assert_eq!((queue.next_due(), queue.pop(due)), (Some(due), Some("a")));
    }
}
