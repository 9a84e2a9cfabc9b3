//! The Raft log in the database `log/`: entries, the vote, what was purged and what
//! was committed.
//!
//! Records reach the disk in the order they are written, and a power loss leaves a prefix
//! of them. So a purge first says what it purges, and removes it later; a
//! truncation removes from the end; and only the last entry may be there in part, which
//! was acknowledged to nobody. Opening the log finishes such work. Anything else that is
//! missing is damage.
//!
//! Entries are readable as soon as they are appended: recent ones stay in memory,
//! bounded by bytes, and those that are not on disk yet are never evicted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::{LogState, OptionalSend};
use prost::Message;
use sled::Tree;
use tokio::sync::oneshot;
use xebec_rpc::raft::v1;

use crate::database::{self, Damage};
use crate::log_check::{self, Found};
use crate::log_layout::{COMMITTED, PURGED, READ_BYTES, TRUNCATIONS, VOTE};
use crate::log_layout::{entry_key, entry_range_end, read, read_entries, sled_error};
use crate::log_writer::{Done, LogWriter, Record, Write};
use crate::mark::{Reached, SharedMark};
use crate::types::{self, Entry, LogId, TypeConfig, Vote};

/// Bytes of entries kept in memory for replication and apply.
const CACHE_BYTES: usize = 8 << 20;

/// The log. Clones read the same log.
#[derive(Clone)]
pub(crate) struct LogStore(Arc<Shared>);

struct Shared {
    // Dropped first: its thread flushes what is queued.
    writer: LogWriter,
    tree: Tree,
    recent: Mutex<Recent>,
    // Closing it needs every tree gone.
    _db: sled::Db,
    // Dropped last: tells that the folder may be opened again.
    _closed: oneshot::Sender<()>,
}

/// What readers may ask for, ahead of the disk.
#[derive(Default)]
struct Recent {
    entries: BTreeMap<u64, Entry>,
    bytes: usize,
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    last: Option<LogId>,
    truncations: u64,
}

impl LogStore {
    /// Opens the log of a data folder. The receiver ends once the last clone is gone
    /// and the folder may be opened again.
    ///
    /// # Errors
    /// [`Damage`] when it cannot be used.
    pub(crate) fn open(path: &Path) -> Result<(Self, oneshot::Receiver<()>), Damage> {
        let db = database::open(path)?;
        let sled_error = |what: &str| {
            let what = format!("{what} {}", path.display());
            move |source| Damage::Sled { what, source }
        };
        let tree = db.open_tree("log").map_err(sled_error("read"))?;
        let mut recent = Recent {
            vote: read::<v1::Vote>(&tree, VOTE)?.and_then(|vote| types::vote_from_wire(Some(&vote)).ok()),
            committed: read::<v1::LogId>(&tree, COMMITTED)?.map(|id| types::log_id_from_wire(&id)),
            purged: read::<v1::LogId>(&tree, PURGED)?.map(|id| types::log_id_from_wire(&id)),
            truncations: read::<v1::LogId>(&tree, TRUNCATIONS)?.map_or(0, |count| count.index),
            ..Recent::default()
        };
        log_check::finish_interrupted(&tree, recent.purged)?;
        recent.last = log_check::verify(&tree, recent.purged)?;
        // Work that an earlier process wrote and did not sync counts as ours from now on.
        database::sync(&db, path)?;
        let mark = SharedMark::default();
        mark.set(recent.found().mark());
        let writer = LogWriter::start(tree.clone(), mark)
            .map_err(|error| Damage::Sled { what: "start the log's writer".into(), source: error.into() })?;
        let (closed, when_closed) = oneshot::channel();
        let shared = Shared { writer, tree, recent: Mutex::new(recent), _db: db, _closed: closed };
        Ok((Self(Arc::new(shared)), when_closed))
    }

    /// Whether nothing was ever written: no vote and no entry.
    pub(crate) fn is_empty(&self) -> bool {
        let recent = self.recent();
        recent.vote.is_none() && recent.last.is_none()
    }

    /// What the log holds.
    pub(crate) fn found(&self) -> Found {
        self.recent().found()
    }

    /// How far the log is on the disk.
    pub(crate) fn mark(&self) -> SharedMark {
        self.0.writer.mark.clone()
    }

    /// What removes the entries from an index on, on the disk and in the queue to it.
    fn removals(&self, recent: &Recent, from: u64) -> Result<Vec<Record>, Damage> {
        let mut keys = BTreeSet::new();
        for key in self.0.tree.range(entry_key(from)..entry_range_end(u64::MAX)).keys() {
            keys.insert(key.map_err(sled_error)?.to_vec());
        }
        for (index, entry) in recent.entries.range(from..) {
            let chunks = database::chunks_of(types::entry_to_wire(entry).encoded_len());
            keys.extend((0..chunks).map(|number| database::chunk_key(&entry_key(*index), number)));
        }
        Ok(keys.into_iter().map(|key| (key, None)).collect())
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.recent.lock().expect("no holder of this lock panics")
    }

    fn entries(&self, from: u64, to: u64) -> Result<Vec<Entry>, Damage> {
        let mut start = from;
        loop {
            let (from, on_disk, purged) = {
                let recent = self.recent();
                // What was purged may still be on the disk.
                let from = start.max(recent.purged.map_or(0, |purged| purged.index + 1));
                if from >= to {
                    return Ok(Vec::new());
                }
                let first = recent.first();
                if from >= first {
                    return Ok(within_budget(recent.entries.range(from..to).map(|(_, entry)| entry.clone())));
                }
                (from, to.min(first), recent.purged)
            };
            // No further than what was evicted: that is whole on the disk, and what follows it may
            // just be written, so it comes from memory with the next read.
            let read = read_entries(&self.0.tree, from, on_disk);
            // A purge that began meanwhile removes what was being read.
            if self.recent().purged != purged {
                continue;
            }
            // Of a log that does not begin at 0 (only openraft's own tests make one) all is in memory.
            match read {
                Ok(entries) if entries.is_empty() && from == 0 && on_disk < to => start = on_disk,
                read => return read,
            }
        }
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (from, to) = bounds(&range);
        let mut all = Vec::new();
        let mut next = from;
        // The caller wants all of its range, whatever the size.
        while next < to {
            let part = self.entries(next, to)?;
            let Some(last) = part.last() else { break };
            next = last.log_id.index + 1;
            all.extend(part);
        }
        Ok(all)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        Ok(self.entries(start, end)?)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.recent().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let recent = self.recent();
        Ok(LogState { last_purged_log_id: recent.purged, last_log_id: recent.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let record = database::seal(&types::vote_to_wire(vote).encode_to_vec());
        self.recent().vote = Some(*vote);
        let reached = Reached { term: Some(vote.leader_id.term), ..Reached::default() };
        self.0.writer.write_durably(vec![(VOTE.to_vec(), Some(record))], reached).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let record = committed.map(|id| database::seal(&types::log_id_to_wire(&id).encode_to_vec()));
        self.recent().committed = committed;
        let records = vec![(COMMITTED.to_vec(), record)];
        self.0.writer.write(Write { records, done: Done::Nobody, reached: Reached::default() }).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.recent().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut records = Vec::new();
        let mut last_index = None;
        {
            let mut recent = self.recent();
            for entry in entries {
                let bytes = types::entry_to_wire(&entry).encode_to_vec();
                let chunks = database::seal_chunks(&entry_key(entry.log_id.index), &bytes);
                records.extend(chunks.into_iter().map(|(key, chunk)| (key, Some(chunk))));
                last_index = Some(entry.log_id.index);
                recent.push(entry);
            }
            recent.evict(self.0.writer.mark.get().last_index);
        }
        let reached = Reached { last_index, ..Reached::default() };
        self.0.writer.write(Write { records, done: Done::Raft(callback), reached }).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |id| id.index + 1);
        let (records, reached) = {
            let mut recent = self.recent();
            recent.truncations += 1;
            let count = v1::LogId { index: recent.truncations, ..Default::default() };
            let mut records = vec![(TRUNCATIONS.to_vec(), Some(database::seal(&count.encode_to_vec())))];
            records.extend(self.removals(&recent, from)?.into_iter().rev());
            recent.truncate(from);
            if recent.last.is_some_and(|last| last.index >= from) {
                recent.last = last_log_id.or(recent.purged);
            }
            let last_index = recent.last.map_or(0, |last| last.index);
            (
                records,
                Reached {
                    last_index: Some(last_index),
                    truncations: Some(recent.truncations),
                    ..Reached::default()
                },
            )
        };
        self.0.writer.write_durably(records, reached).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let record = database::seal(&types::log_id_to_wire(&log_id).encode_to_vec());
        let last_index = {
            let mut recent = self.recent();
            recent.purge(log_id.index);
            recent.purged = Some(log_id);
            if recent.last.is_none_or(|last| last.index < log_id.index) {
                recent.last = Some(log_id);
            }
            recent.last.map(|last| last.index)
        };
        // The writer removes the entries bit by bit.
        let reached = Reached { last_index, purged_end: Some(log_id.index + 1), ..Reached::default() };
        self.0.writer.write_durably(vec![(PURGED.to_vec(), Some(record))], reached).await
    }
}

impl Recent {
    /// The first entry in memory, or the one that will be: all before it are on the disk.
    fn first(&self) -> u64 {
        let next = || self.last.map_or(0, |last| last.index + 1);
        self.entries.keys().next().copied().unwrap_or_else(next)
    }

    fn found(&self) -> Found {
        let Self { vote, purged, last, truncations, .. } = *self;
        Found { vote, purged, last, truncations }
    }

    fn push(&mut self, entry: Entry) {
        self.last = Some(entry.log_id);
        self.bytes += types::entry_bytes(&entry);
        if let Some(old) = self.entries.insert(entry.log_id.index, entry) {
            self.bytes -= types::entry_bytes(&old);
        }
    }

    /// Forgets the oldest entries over the budget that are on disk.
    fn evict(&mut self, flushed: u64) {
        while self.bytes > CACHE_BYTES {
            match self.entries.first_key_value() {
                Some((index, _)) if *index <= flushed => self.remove_first(),
                _ => return,
            }
        }
    }

    fn purge(&mut self, to: u64) {
        while self.entries.first_key_value().is_some_and(|(index, _)| *index <= to) {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        if let Some((_, entry)) = self.entries.pop_first() {
            self.bytes -= types::entry_bytes(&entry);
        }
    }

    fn truncate(&mut self, from: u64) {
        for entry in self.entries.split_off(&from).into_values() {
            self.bytes -= types::entry_bytes(&entry);
        }
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(to) => *to,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

fn within_budget(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut bytes = 0;
    let fits = |entry: &Entry| {
        let first = bytes == 0;
        bytes += types::entry_bytes(entry);
        first || bytes <= READ_BYTES
    };
    entries.take_while(fits).collect()
}

#[cfg(test)]
#[path = "log_store_tests.rs"]
mod tests;
