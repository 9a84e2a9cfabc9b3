//! Answers of others, for as long as they are good. Bounded by number and by bytes: what
//! came first goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Question, Reply};

const MOST_ANSWERS: usize = 4096;
const MOST_BYTES: usize = 2 << 20;
/// What an answer takes beside its message.
const OVERHEAD_BYTES: usize = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Cache {
    answers: HashMap<Question, Arc<Reply>>,
    /// In the order in which they came; those that were replaced stand twice.
    order: VecDeque<(Question, Instant)>,
    bytes: usize,
}

impl Cache {
    pub(super) fn get(&self, question: &Question, now: Instant) -> Option<Arc<Reply>> {
        self.answers.get(question).filter(|reply| now < reply.good_until()).cloned()
    }

    /// What is good for no time at all is not kept.
    pub(super) fn insert(&mut self, question: Question, reply: Arc<Reply>) {
        if reply.good_until() <= reply.came() {
            return;
        }
        self.bytes += size(&reply);
        self.order.push_back((question.clone(), reply.came()));
        if let Some(old) = self.answers.insert(question, reply) {
            self.bytes -= size(&old);
        }
        while self.order.len() > MOST_ANSWERS || self.bytes > MOST_BYTES {
            let Some((first, came)) = self.order.pop_front() else { return };
            if self.answers.get(&first).is_some_and(|reply| reply.came() == came)
                && let Some(reply) = self.answers.remove(&first)
            {
                self.bytes -= size(&reply);
            }
        }
    }
}

fn size(reply: &Reply) -> usize {
    reply.bytes() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn question(number: usize) -> Question {
        let name = format!("\u{4}{number:04}\0").into_bytes().into();
        Question { name, kind: 1, dnssec_ok: false, checking_disabled: false }
    }

    #[test]
    fn answers_end_with_their_time_and_old_ones_make_room() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let reply = |ttl, bytes| Arc::new(Reply::for_test(now, ttl, bytes));
        cache.insert(question(0), reply(10, 100));
        assert!(cache.get(&question(0), now + Duration::from_secs(9)).is_some());
        assert!(cache.get(&question(0), now + Duration::from_secs(10)).is_none(), "its time is over");
        cache.insert(question(1), reply(0, 100));
        assert!(cache.get(&question(1), now).is_none(), "good for no time");

        for number in 2..MOST_ANSWERS + 2 {
            cache.insert(question(number), reply(10, 100));
        }
        assert_eq!(cache.answers.len(), MOST_ANSWERS);
        assert!(cache.get(&question(0), now).is_none(), "the first made room");
        for number in 0..100 {
            cache.insert(question(number), reply(10, 60_000));
        }
        assert!(cache.bytes <= MOST_BYTES, "{}", cache.bytes);
        assert_eq!(cache.bytes, cache.answers.values().map(|reply| size(reply)).sum::<usize>());
        assert!(cache.get(&question(99), now).is_some());
    }
}
