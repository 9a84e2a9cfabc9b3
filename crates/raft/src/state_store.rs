//! The database `state/`: the applied state, written behind by a thread of its own.
//! The log can always make it again, so applying never waits for it; what is here only
//! says from where on the log must be kept.
//!
//! | key | value |
//! |---|---|
//! | `o` + resource NUL namespace NUL name NUL + chunk number | an object, cut to chunks |
//! | `m` | last applied, membership, revision, hash and the log's mark: one sealed record |
//!
//! Objects and `m` change in one batch, so the disk always holds one whole state.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prost::Message;
use sled::{Batch, Tree};
use xebec_rpc::raft::v1;
use xebec_state::{Key, State, StateBuilder, encode_object};

use crate::database::{self, Damage};
use crate::mark::{Mark, SharedMark};
use crate::types::{self, LogId, StoredMembership};

const META: &[u8] = b"m";
/// Between two writes, unless somebody waits for one: bounds what a restart replays.
const LINGER: Duration = Duration::from_millis(500);

/// A state and where in the log it stands.
#[derive(Clone, Default)]
pub(crate) struct Applied {
    pub(crate) state: State,
    pub(crate) last: Option<LogId>,
    pub(crate) membership: StoredMembership,
}

/// What the database held, and what it says of the log.
#[derive(Clone, Default)]
pub(crate) struct Loaded {
    pub(crate) applied: Applied,
    pub(crate) mark: Mark,
}

#[derive(Clone, PartialEq, Message)]
struct Meta {
    #[prost(message, optional, tag = "1")]
    last: Option<v1::LogId>,
    #[prost(message, optional, tag = "2")]
    membership_log_id: Option<v1::LogId>,
    #[prost(message, optional, tag = "3")]
    membership: Option<v1::Membership>,
    #[prost(uint64, tag = "4")]
    revision: u64,
    #[prost(fixed64, tag = "5")]
    hash: u64,
    #[prost(message, optional, tag = "6")]
    mark: Option<Mark>,
}

/// Writes states behind their publication.
pub(crate) struct StateStore {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    slot: Mutex<Slot>,
    changed: Condvar,
}

/// At most one state waits: a newer one takes its place, and their keys add up.
#[derive(Default)]
struct Slot {
    next: Option<Applied>,
    dirty: BTreeSet<Key>,
    /// Everything is written anew, as after a snapshot was installed.
    whole: bool,
    /// The newest that was handed over, and the newest that is on the disk.
    handed: Option<LogId>,
    written: Option<LogId>,
    failed: Option<String>,
    /// Who waits for `written`.
    waiting: usize,
    ending: bool,
}

impl StateStore {
    /// Opens the database and reads the state it holds.
    ///
    /// # Errors
    /// [`Damage`] when it cannot be used.
    pub(crate) fn open(path: &Path, mark: SharedMark) -> Result<(Self, Loaded), Damage> {
        let db = database::open(path)?;
        let error = |source| Damage::Sled { what: format!("read {}", path.display()), source };
        let tree = db.open_tree("state").map_err(error)?;
        let loaded = load(&tree)?;
        // What it holds decides what the log may lose.
        database::sync(&db, path)?;
        let applied = &loaded.applied;
        let slot = Slot { handed: applied.last, written: applied.last, ..Slot::default() };
        let shared = Arc::new(Shared { slot: Mutex::new(slot), changed: Condvar::new() });
        let (mine, thread) = (shared.clone(), std::thread::Builder::new().name("xebec-state".to_owned()));
        let thread = thread
            .spawn(move || {
                run(&mine, |applied, dirty, whole| write(&tree, applied, mark.get(), dirty, whole));
                drop((tree, db));
            })
            .map_err(|e| Damage::Sled { what: "start the state's writer".into(), source: e.into() })?;
        Ok((Self { shared, thread: Some(thread) }, loaded))
    }

    /// Hands a state over to be written, with what changed since the last one.
    pub(crate) fn write_behind(&self, applied: Applied, dirty: impl IntoIterator<Item = Key>) {
        let mut slot = self.shared.lock();
        slot.handed = applied.last;
        slot.next = Some(applied);
        slot.dirty.extend(dirty);
        self.shared.changed.notify_all();
    }

    /// Hands a state over that replaces everything.
    pub(crate) fn replace(&self, applied: Applied) {
        let mut slot = self.shared.lock();
        slot.handed = applied.last;
        slot.next = Some(applied);
        slot.whole = true;
        self.shared.changed.notify_all();
    }

    /// Blocks until everything handed over is on the disk. Call it from a thread that
    /// may block.
    ///
    /// # Errors
    /// When a write failed.
    pub(crate) fn wait_written(&self) -> io::Result<()> {
        let mut slot = self.shared.lock();
        let target = slot.handed;
        slot.waiting += 1;
        self.shared.changed.notify_all();
        while slot.written < target && slot.failed.is_none() {
            slot = self.shared.changed.wait(slot).expect("no holder of this lock panics");
        }
        slot.waiting -= 1;
        match &slot.failed {
            Some(why) => Err(io::Error::other(why.clone())),
            None => Ok(()),
        }
    }
}

impl Drop for StateStore {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// What is to be written next: not before [`LINGER`] is over unless somebody waits,
    /// since every write here delays the log's own, on the same disk. `None` to end.
    fn next(&self, last: Option<Instant>) -> Option<(Applied, BTreeSet<Key>, bool)> {
        let mut slot = self.lock();
        loop {
            let due = last.map_or(Duration::ZERO, |last| LINGER.saturating_sub(last.elapsed()));
            let hurry = slot.ending || slot.whole || slot.waiting > 0;
            slot = match slot.next.take() {
                Some(next) if hurry || due.is_zero() => {
                    return Some((next, std::mem::take(&mut slot.dirty), std::mem::take(&mut slot.whole)));
                }
                Some(next) => {
                    slot.next = Some(next);
                    self.changed.wait_timeout(slot, due).expect("no holder of this lock panics").0
                }
                None if slot.ending => return None,
                None => self.changed.wait(slot).expect("no holder of this lock panics"),
            };
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.slot.lock().expect("no holder of this lock panics")
    }
}

fn run(shared: &Shared, mut write: impl FnMut(&Applied, &BTreeSet<Key>, bool) -> sled::Result<()>) {
    let mut last = None;
    while let Some((applied, dirty, whole)) = shared.next(last) {
        last = Some(Instant::now());
        // sled panics where its files make no sense to it. Who waits must hear of that, too: a
        // snapshot would wait for good, and with it the end of this master.
        let outcome = catch_unwind(AssertUnwindSafe(|| write(&applied, &dirty, whole)));
        let outcome = match outcome {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("the state's files make no sense to sled".to_owned()),
        };
        let mut slot = shared.lock();
        match outcome {
            Ok(()) => slot.written = applied.last,
            Err(error) => {
                tracing::error!(%error, "the state could not be written: snapshots stop here");
                slot.failed = Some(error);
            }
        }
        shared.changed.notify_all();
        if slot.failed.is_some() {
            return;
        }
    }
}

fn write(tree: &Tree, applied: &Applied, mark: Mark, dirty: &BTreeSet<Key>, whole: bool) -> sled::Result<()> {
    let mut batch = Batch::default();
    if whole {
        for key in tree.range(b"o".as_slice()..b"p".as_slice()).keys() {
            batch.remove(key?);
        }
        for (key, _) in applied.state.objects() {
            put(&mut batch, &applied.state, &key);
        }
    } else {
        for key in dirty {
            for old in tree.scan_prefix(object_key(key)).keys() {
                batch.remove(old?);
            }
            put(&mut batch, &applied.state, key);
        }
    }
    batch.insert(META, database::seal(&meta(applied, mark).encode_to_vec()));
    tree.apply_batch(batch)?;
    tree.flush().map(drop)
}

fn put(batch: &mut Batch, state: &State, key: &Key) {
    let Some(entry) = state.get(key) else { return };
    for (chunk, record) in database::seal_chunks(&object_key(key), &encode_object(key, entry)) {
        batch.insert(chunk, record);
    }
}

/// Names never hold a NUL, so no key is another's prefix.
fn object_key(key: &Key) -> Vec<u8> {
    format!("o{}\0{}\0{}\0", key.resource, key.namespace, key.name).into_bytes()
}

fn meta(applied: &Applied, mark: Mark) -> Meta {
    Meta {
        last: applied.last.as_ref().map(types::log_id_to_wire),
        membership_log_id: applied.membership.log_id().as_ref().map(types::log_id_to_wire),
        membership: Some(types::membership_to_wire(applied.membership.membership())),
        revision: applied.state.revision(),
        hash: applied.state.hash(),
        mark: Some(mark),
    }
}

fn load(tree: &Tree) -> Result<Loaded, Damage> {
    let what = || "the state's own record".to_owned();
    let sled_error = |source| Damage::Sled { what: "read the state".into(), source };
    let Some(record) = tree.get(META).map_err(sled_error)? else { return Ok(Loaded::default()) };
    let damaged = || Damage::Checksum { what: what() };
    let meta = Meta::decode(database::unseal(&record, &what)?).map_err(|_| damaged())?;
    let mut builder = StateBuilder::default();
    let (mut value, mut seen) = (Vec::new(), 0);
    for pair in tree.range(b"o".as_slice()..b"p".as_slice()) {
        let (key, record) = pair.map_err(sled_error)?;
        let what = || format!("the object {}", String::from_utf8_lossy(&key).replace('\0', " "));
        let (count, part) = database::unseal_chunk(&record, &what)?;
        value.extend_from_slice(part);
        seen += 1;
        if seen == count {
            let record = std::mem::take(&mut value);
            builder.add(record.into()).map_err(|_| Damage::Checksum { what: what() })?;
            seen = 0;
        }
    }
    let state = builder.finish(meta.revision, meta.hash);
    let state =
        state.map_err(|error| Damage::Missing { what: format!("the state in this folder: {error}") })?;
    let membership =
        types::membership_from_wire(meta.membership.unwrap_or_default()).map_err(|_| damaged())?;
    let membership_log_id = meta.membership_log_id.as_ref().map(types::log_id_from_wire);
    let membership = StoredMembership::new(membership_log_id, membership);
    let last = meta.last.as_ref().map(types::log_id_from_wire);
    Ok(Loaded { applied: Applied { state, last, membership }, mark: meta.mark.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::log_id;

    #[test]
    fn who_waits_hears_of_a_writer_that_panicked() {
        let shared = Arc::new(Shared { slot: Mutex::new(Slot::default()), changed: Condvar::new() });
        let mine = shared.clone();
        let thread = std::thread::spawn(move || run(&mine, |_, _, _| panic!("as sled does")));
        let store = StateStore { shared, thread: Some(thread) };
        store.write_behind(Applied { last: Some(log_id(1, 7)), ..Applied::default() }, []);
        let why = store.wait_written().expect_err("nothing was written").to_string();
        assert_eq!(why, "the state's files make no sense to sled");
    }
}
