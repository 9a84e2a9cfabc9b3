//! The table of flows: bounded, with the time after which a quiet one is forgotten. It
//! knows nothing of sockets, and takes the time as an argument.

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
    /// The one that was quiet for longest is the first to go when there are too many.
    by_key: LruCache<FlowKey, usize>,
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
        let mut by_key = LruCache::unbounded();
        by_key.resize(limit);
        Self { entries: Slab::new(), by_key }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The flow that a client's datagram belongs to.
    pub(super) fn asked(&mut self, key: FlowKey, now_ms: u64) -> Option<(usize, &T)> {
        let number = *self.by_key.get(&key)?;
        let entry = &mut self.entries[number];
        entry.last_ms = now_ms;
        entry.lasting |= entry.answered;
        Some((number, &entry.flow))
    }

    /// The flow that an endpoint's datagram belongs to.
    pub(super) fn answered(&mut self, number: usize, now_ms: u64) -> Option<(FlowKey, &T)> {
        let entry = self.entries.get_mut(number)?;
        entry.last_ms = now_ms;
        entry.answered = true;
        self.by_key.promote(&entry.key);
        Some((entry.key, &entry.flow))
    }

    pub(super) fn get(&self, number: usize) -> Option<&T> {
        self.entries.get(number).map(|entry| &entry.flow)
    }

    /// Adds a flow that is not there yet, and lets the quietest go if there are too many.
    pub(super) fn add(&mut self, key: FlowKey, flow: T, now_ms: u64) -> usize {
        let entry = Entry { key, last_ms: now_ms, answered: false, lasting: false, flow };
        let number = self.entries.insert(entry);
        if let Some((_, displaced)) = self.by_key.push(key, number) {
            self.entries.remove(displaced);
        }
        number
    }

    pub(super) fn remove(&mut self, number: usize) {
        if let Some(entry) = self.entries.try_remove(number) {
            self.by_key.pop(&entry.key);
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
        let by_key = &mut self.by_key;
        self.entries.retain(|_, entry| {
            let over = over(entry);
            if over {
                by_key.pop(&entry.key);
            }
            !over
        });
    }
}

#[cfg(test)]
mod tests;
