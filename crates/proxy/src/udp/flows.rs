//! The table of flows: bounded, with the time after which a quiet one is forgotten. It
//! knows nothing of sockets, and takes the time as an argument.
//!
//! Questions of many clients, such as DNS's, take no conversation's place, nor the other way:
//! when there are too many, each of the two kinds keeps its half.

use std::net::SocketAddrV4;
use std::num::NonZeroUsize;

use lru::LruCache;
use slab::Slab;

/// A flow of one question and its answer, such as a DNS query, is forgotten after so long.
pub(super) const BRIEF_IDLE_MS: u64 = 30_000;
/// One that went on after its first answer is a conversation, and is kept for longer.
pub(super) const LASTING_IDLE_MS: u64 = 120_000;

/// A client, and the address that it meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    pub(super) client: SocketAddrV4,
    pub(super) meant: SocketAddrV4,
}

/// Flows by key, and by a number that is theirs for as long as they stand.
pub(super) struct Flows<T> {
    entries: Slab<Entry<T>>,
    /// Of each kind the one that was quiet for longest is the first to go when there are too many.
    brief: LruCache<FlowKey, usize>,
    lasting: LruCache<FlowKey, usize>,
    limit: usize,
}

struct Entry<T> {
    key: FlowKey,
    last_ms: u64,
    answered: bool,
    lasting: bool,
    flow: T,
}

impl<T> Entry<T> {
    fn is_over(&self, now_ms: u64) -> bool {
        let idle = if self.lasting { LASTING_IDLE_MS } else { BRIEF_IDLE_MS };
        now_ms.saturating_sub(self.last_ms) >= idle
    }
}

impl<T> Flows<T> {
    /// An empty table for at most `limit` flows.
    pub(super) fn new(limit: NonZeroUsize) -> Self {
        let (brief, lasting) = (LruCache::unbounded(), LruCache::unbounded());
        Self { entries: Slab::new(), brief, lasting, limit: limit.get() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The flow that a client's datagram belongs to.
    pub(super) fn asked(&mut self, key: FlowKey, now_ms: u64) -> Option<(usize, &T)> {
        let known = self.lasting.get(&key).or_else(|| self.brief.get(&key));
        let number = *known?;
        let entry = &mut self.entries[number];
        entry.last_ms = now_ms;
        if entry.answered && !entry.lasting {
            entry.lasting = true;
            self.brief.pop(&key);
            self.lasting.put(key, number);
        }
        Some((number, &entry.flow))
    }

    /// The flow that an endpoint's datagram belongs to.
    pub(super) fn answered(&mut self, number: usize, now_ms: u64) -> Option<(FlowKey, &T)> {
        let entry = self.entries.get_mut(number)?;
        entry.last_ms = now_ms;
        entry.answered = true;
        let of_its_kind = if entry.lasting { &mut self.lasting } else { &mut self.brief };
        of_its_kind.promote(&entry.key);
        Some((entry.key, &entry.flow))
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.entries.get(number).map(|entry| &entry.flow)
    }

    /// Adds a flow that is not there yet, and lets the quietest go if there are too many.
    pub(super) fn add(&mut self, key: FlowKey, flow: T, now_ms: u64) -> usize {
        if self.entries.len() >= self.limit {
            self.make_room();
        }
        let entry = Entry { key, last_ms: now_ms, answered: false, lasting: false, flow };
        let number = self.entries.insert(entry);
        self.brief.put(key, number);
        number
    }

    fn make_room(&mut self) {
        let brief = self.brief.len() > self.limit / 2 || self.lasting.is_empty();
        let quietest = if brief { self.brief.pop_lru() } else { self.lasting.pop_lru() };
        if let Some((_, number)) = quietest {
            self.entries.remove(number);
        }
    }

    pub(super) fn remove(&mut self, number: usize) {
        if let Some(entry) = self.entries.try_remove(number) {
            let of_its_kind = if entry.lasting { &mut self.lasting } else { &mut self.brief };
            of_its_kind.pop(&entry.key);
        }
    }

    /// Drops the flows that were quiet for too long.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.drop_if(|entry| entry.is_over(now_ms));
    }

    /// Drops the flows that are not wanted any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(FlowKey, &T) -> bool) {
        self.drop_if(|entry| !wanted(entry.key, &entry.flow));
    }

    fn drop_if(&mut self, over: impl Fn(&Entry<T>) -> bool) {
        let (brief, lasting) = (&mut self.brief, &mut self.lasting);
        self.entries.retain(|_, entry| {
            let over = over(entry);
            if over {
                let of_its_kind = if entry.lasting { &mut *lasting } else { &mut *brief };
                of_its_kind.pop(&entry.key);
            }
            !over
        });
    }
}

#[cfg(test)]
mod tests;
