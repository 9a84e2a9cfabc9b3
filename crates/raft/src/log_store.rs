//! The Raft log in the database `log/`: entries, the vote, what was purged and what
//! was committed.
//!
//! | key | value |
//! |---|---|
//! | `e` + index + chunk number | an entry, cut to chunks |
//! | `mvote`, `mpurged`, `mcommitted` | one sealed record each |
//!
//! Records reach the disk in the order they are written, and a power loss leaves a prefix
//! of them. So a purge first says what it purges, then removes it from the front; a
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
use sled::{IVec, Tree};
use tokio::sync::oneshot;
use xebec_rpc::raft::v1;

use crate::database::{self, Damage};
use crate::log_writer::{Done, LogWriter, Record, Write};
use crate::types::{self, Entry, LogId, TypeConfig, Vote};

/// Bytes of entries kept in memory for replication and apply.
const CACHE_BYTES: usize = 8 << 20;
/// Bytes of entries that one read gives, so that no message grows without bound.
const READ_BYTES: usize = 2 << 20;

const VOTE: &[u8] = b"mvote";
const PURGED: &[u8] = b"mpurged";
const COMMITTED: &[u8] = b"mcommitted";

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
            ..Recent::default()
        };
        finish_interrupted(&tree, recent.purged)?;
        recent.last = verify(&tree, recent.purged)?;
        let writer = LogWriter::start(tree.clone())
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

    /// Whether log and state can be of one history. What was promised to others before
    /// an entry was taken, or applied, must still be known.
    ///
    /// # Errors
    /// [`Damage::Missing`] when something is lost.
    pub(crate) fn agrees_with(&self, applied: Option<LogId>) -> Result<(), Damage> {
        let recent = self.recent();
        let missing = |what: String| Err(Damage::Missing { what });
        let newest = recent.last.max(applied);
        // The very first entry is written before anybody votes.
        let needs_vote = newest.filter(|newest| newest.index > 0).map_or(0, |newest| newest.leader_id.term);
        let voted = recent.vote.map_or(0, |vote| vote.leader_id.term);
        if voted < needs_vote {
            return missing(format!("the vote of term {needs_vote} is lost"));
        }
        if applied.map(|id| id.index) < recent.purged.map(|id| id.index) {
            let purged = recent.purged.map_or(0, |purged| purged.index);
            let applied = applied.map_or("nothing".to_owned(), |id| format!("entry {}", id.index));
            return missing(format!(
                "the log begins behind entry {purged}, but the state holds only {applied}"
            ));
        }
        Ok(())
    }

    /// What removes a range of entries, on the disk and in the queue to it, in order.
    fn removals(&self, recent: &Recent, from: u64, to: u64) -> Result<Vec<Record>, Damage> {
        let mut keys = BTreeSet::new();
        for key in self.0.tree.range(entry_key(from)..entry_range_end(to)).keys() {
            keys.insert(key.map_err(sled_error)?.to_vec());
        }
        for (index, entry) in recent.entries.range(from..to) {
            let chunks = database::chunks_of(types::entry_to_wire(entry).encoded_len());
            keys.extend((0..chunks).map(|number| database::chunk_key(&entry_key(*index), number)));
        }
        Ok(keys.into_iter().map(|key| (key, None)).collect())
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.recent.lock().expect("no holder of this lock panics")
    }

    fn entries(&self, from: u64, to: u64) -> Result<Vec<Entry>, Damage> {
        {
            let recent = self.recent();
            let first = recent.entries.keys().next().copied().unwrap_or(u64::MAX);
            if from >= first {
                return Ok(within_budget(recent.entries.range(from..to).map(|(_, entry)| entry.clone())));
            }
        }
        // Evicted entries are on disk; what follows them comes with the next read.
        read_entries(&self.0.tree, from, to)
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
        self.0.writer.write_durably(vec![(VOTE.to_vec(), Some(record))], None).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let record = committed.map(|id| database::seal(&types::log_id_to_wire(&id).encode_to_vec()));
        self.recent().committed = committed;
        let records = vec![(COMMITTED.to_vec(), record)];
        self.0.writer.write(Write { records, done: Done::Nobody, last_index: None }).await
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
            recent.evict(self.0.writer.flushed());
        }
        self.0.writer.write(Write { records, done: Done::Raft(callback), last_index }).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |id| id.index + 1);
        let records = {
            let mut recent = self.recent();
            let mut records = self.removals(&recent, from, u64::MAX)?;
            records.reverse();
            recent.truncate(from);
            if recent.last.is_some_and(|last| last.index >= from) {
                recent.last = last_log_id.or(recent.purged);
            }
            records
        };
        self.0.writer.write_durably(records, Some(from.saturating_sub(1))).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let purged = database::seal(&types::log_id_to_wire(&log_id).encode_to_vec());
        let records = {
            let mut recent = self.recent();
            let mut records = vec![(PURGED.to_vec(), Some(purged))];
            records.extend(self.removals(&recent, 0, log_id.index + 1)?);
            recent.purge(log_id.index);
            recent.purged = Some(log_id);
            if recent.last.is_none_or(|last| last.index < log_id.index) {
                recent.last = Some(log_id);
            }
            records
        };
        self.0.writer.write_durably(records, None).await
    }
}

impl Recent {
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

fn entry_key(index: u64) -> Vec<u8> {
    [b"e".as_slice(), &index.to_be_bytes()].concat()
}

fn sled_error(source: sled::Error) -> Damage {
    Damage::Sled { what: "read the log".into(), source }
}

fn read<M: Message + Default>(tree: &Tree, key: &[u8]) -> Result<Option<M>, Damage> {
    let what = || format!("the log's {}", String::from_utf8_lossy(key));
    let Some(record) = tree.get(key).map_err(sled_error)? else { return Ok(None) };
    let body = database::unseal(&record, &what)?;
    M::decode(body).map(Some).map_err(|_| Damage::Checksum { what: what() })
}

fn index_of(key: &IVec) -> u64 {
    u64::from_be_bytes(key[1..9].try_into().expect("an entry's key has eight bytes of index"))
}

/// Removes what a purge had already given up, and an entry that is there in part at the
/// end: both are what a power loss leaves of a write that nobody was told of.
fn finish_interrupted(tree: &Tree, purged: Option<LogId>) -> Result<(), Damage> {
    let purged_end = purged.map_or(0, |purged| purged.index + 1);
    let mut stale: Vec<IVec> = Vec::new();
    for key in tree.range(entry_key(0)..entry_key(purged_end)).keys() {
        stale.push(key.map_err(sled_error)?);
    }
    if let Some((key, record)) =
        tree.range(entry_key(0)..entry_range_end(u64::MAX)).next_back().transpose().map_err(sled_error)?
    {
        let index = index_of(&key);
        let what = || format!("entry {index} of the log");
        let (count, _) = database::unseal_chunk(&record, &what)?;
        if key[..] != database::chunk_key(&entry_key(index), count.saturating_sub(1)) {
            for key in tree.range(entry_key(index)..entry_range_end(u64::MAX)).keys() {
                stale.push(key.map_err(sled_error)?);
            }
        }
    }
    for key in stale {
        tree.remove(key).map_err(sled_error)?;
    }
    Ok(())
}

/// Reads the whole log once: every checksum holds, and no entry is missing between what
/// was purged and the last one. Gives the last one.
fn verify(tree: &Tree, purged: Option<LogId>) -> Result<Option<LogId>, Damage> {
    let mut last = purged;
    loop {
        let next = last.map_or(0, |last| last.index + 1);
        let part = read_entries(tree, next, u64::MAX)?;
        if part.is_empty() {
            return Ok(last);
        }
        for (entry, wanted) in part.iter().zip(next..) {
            let found = entry.log_id.index;
            if found != wanted || last > Some(entry.log_id) {
                return Err(Damage::Missing {
                    what: format!("entry {wanted} of the log is lost, {found} is there"),
                });
            }
            last = Some(entry.log_id);
        }
    }
}

/// Entries from the disk, as many as fit the budget, at least one if there is one.
fn read_entries(tree: &Tree, from: u64, to: u64) -> Result<Vec<Entry>, Damage> {
    let mut entries = Vec::new();
    let (mut whole, mut seen, mut total) = (Vec::new(), 0, 0);
    for pair in tree.range(entry_key(from)..entry_range_end(to)) {
        let (key, record) = pair.map_err(sled_error)?;
        let index = index_of(&key);
        let what = || format!("entry {index} of the log");
        let (count, part) = database::unseal_chunk(&record, &what)?;
        if key[..] != database::chunk_key(&entry_key(index), seen) {
            return Err(Damage::Missing { what: format!("part {seen} of an entry of the log is lost") });
        }
        whole.extend_from_slice(part);
        seen += 1;
        if seen < count {
            continue;
        }
        let wire = v1::Entry::decode(whole.as_slice()).map_err(|_| Damage::Checksum { what: what() })?;
        total += whole.len();
        entries.push(types::entry_from_wire(wire).map_err(|_| Damage::Checksum { what: what() })?);
        (whole, seen) = (Vec::new(), 0);
        if total > READ_BYTES {
            return Ok(entries);
        }
    }
    if seen > 0 {
        return Err(Damage::Missing { what: format!("part {seen} of the last entry of the log is lost") });
    }
    Ok(entries)
}

fn entry_range_end(to: u64) -> Vec<u8> {
    if to == u64::MAX { b"f".to_vec() } else { entry_key(to) }
}
