//! What a disk or a crash may do to a data folder, and that a master notices.

use std::fs;
use std::path::Path;

use futures::stream;
use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use prost::Message;
use xebec_rpc::raft::v1;
use xebec_state::{Key, Operation, Transaction};

use crate::database::{self, Damage};
use crate::log_check::Found;
use crate::log_layout::{PURGED, VOTE, entry_key};
use crate::log_store::LogStore;
use crate::mark::Mark;
use crate::state_machine::{Published, StateMachine};
use crate::state_store::{Loaded, StateStore};
use crate::types::{Command, Entry, LogId, Vote, log_id, vote_from_wire};

const ENTRIES: u64 = 120;

fn vote(term: u64) -> Vote {
    let wire = v1::Vote { term, node_id: 1, committed: true };
    vote_from_wire(Some(&wire)).expect("whole")
}

fn put(index: u64, bytes: usize) -> Transaction {
    let key = Key::new("pods", "default", &format!("pod-{index}"));
    Transaction { operations: vec![Operation::Put(key, vec![b'x'; bytes].into())], ..Transaction::default() }
}

fn entry(index: u64) -> Entry {
    // Some have three parts.
    let bytes = if index % 50 == 9 { 2 * database::CHUNK_BYTES + 1_000 } else { 500 };
    Entry::new(log_id(1, index), EntryPayload::Normal(Command(put(index, bytes).encode())))
}

/// A folder of a master that wrote and applied all entries, and stopped.
async fn filled(dir: &Path) {
    let (mut log, _) = LogStore::open(&dir.join("log")).expect("a fresh log opens");
    log.save_vote(&vote(1)).await.expect("saved");
    for index in 0..ENTRIES {
        log.blocking_append([entry(index)]).await.expect("appended");
    }
    let (store, loaded) = StateStore::open(&dir.join("state"), log.mark()).expect("a fresh state opens");
    let published = Published::new(&loaded.applied);
    let mut machine = StateMachine::new(loaded.applied, store, published);
    let entries = (0..ENTRIES).map(|index| Ok((entry(index), None)));
    machine.apply(stream::iter(entries)).await.expect("applied");
}

/// What a start finds in a folder.
fn open(dir: &Path) -> Result<(LogStore, Loaded), Damage> {
    let (log, _) = LogStore::open(&dir.join("log"))?;
    let (_, loaded) = StateStore::open(&dir.join("state"), log.mark())?;
    log.found().agrees_with(loaded.applied.last, loaded.mark)?;
    Ok((log, loaded))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for file in fs::read_dir(from).expect("there") {
        let file = file.expect("read");
        let to = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), to).expect("copied");
        }
    }
}

/// Changes the log's tree behind its back.
fn meddle(dir: &Path, change: impl FnOnce(&sled::Tree)) {
    let db = database::open(&dir.join("log")).expect("opens");
    let tree = db.open_tree("log").expect("there");
    change(&tree);
    db.flush().expect("flushed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_anywhere_in_the_log_is_noticed() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = dir.path().join("whole");
    filled(&whole).await;
    let bytes = fs::read(whole.join("log/db")).expect("there");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("something");
    let mut noticed = 0;
    for step in 0..40 {
        let damaged = dir.path().join(format!("damaged-{step}"));
        copy(&whole, &damaged);
        let mut bytes = bytes.clone();
        bytes[used * step / 40 + 3] ^= 1 << (step % 8);
        fs::write(damaged.join("log/db"), bytes).expect("written");
        match open(&damaged) {
            Err(_) => noticed += 1,
            // It hit what was replaced since.
            Ok((log, _)) => assert_eq!(log.found().last, Some(log_id(1, ENTRIES - 1)), "step {step}"),
        }
    }
    assert!(noticed > 30, "{noticed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_noticed() {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path()).await;
    let without = |database: &str| {
        let copied = dir.path().join(format!("without-{database}"));
        copy(dir.path().join("log").as_path(), &copied.join("log"));
        copy(dir.path().join("state").as_path(), &copied.join("state"));
        fs::remove_dir_all(copied.join(database)).expect("removed");
        copied
    };
    let lost = open(&without("log")).err().expect("noticed").to_string();
    assert_eq!(lost, "the vote of term 1 is lost");
    // The whole log can make the whole state again.
    let (_, loaded) = open(&without("state")).expect("nothing was purged");
    assert_eq!(loaded.applied.last, None);
    let purged = without("state");
    meddle(&purged, |tree| {
        let record = database::seal(&v1::LogId { term: 1, index: 9, node_id: 0 }.encode_to_vec());
        tree.insert(PURGED, record).expect("inserted");
    });
    let lost = open(&purged).err().expect("noticed").to_string();
    assert_eq!(lost, "the log begins behind entry 9, but the state ends with nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_leaves_unfinished_is_finished() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let (mut log, _) = LogStore::open(&dir.path().join("log")).expect("a fresh log opens");
        log.save_vote(&vote(1)).await.expect("saved");
        for index in 0..=59 {
            log.blocking_append([entry(index)]).await.expect("appended");
        }
    }
    meddle(dir.path(), |tree| {
        // Entry 59 has three parts, and the last one did not get there.
        tree.remove(database::chunk_key(&entry_key(59), 2)).expect("removed").expect("was there");
        // A purge said what it would do, and did half of it.
        let record = database::seal(&v1::LogId { term: 1, index: 9, node_id: 0 }.encode_to_vec());
        tree.insert(PURGED, record).expect("inserted");
        tree.remove(database::chunk_key(&entry_key(0), 0)).expect("removed").expect("was there");
    });
    let (mut log, _) = LogStore::open(&dir.path().join("log")).expect("opens");
    let found = log.found();
    assert_eq!((found.purged, found.last), (Some(log_id(1, 9)), Some(log_id(1, 58))));
    let entries = log.try_get_log_entries(0..100).await.expect("reads");
    assert_eq!(entries, (10..=58).map(entry).collect::<Vec<_>>());
    log.blocking_append([entry(59)]).await.expect("goes on");
    assert_eq!(log.try_get_log_entries(59..60).await.expect("reads"), [entry(59)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_log_is_damage() {
    let dir = tempfile::tempdir().expect("a folder");
    filled(dir.path()).await;
    let refused = |name: &str, change: &dyn Fn(&sled::Tree)| {
        let copied = dir.path().join(name);
        copy(dir.path().join("log").as_path(), &copied.join("log"));
        copy(dir.path().join("state").as_path(), &copied.join("state"));
        meddle(&copied, change);
        open(&copied).err().expect("noticed").to_string()
    };
    let remove = |tree: &sled::Tree, index, chunk| {
        tree.remove(database::chunk_key(&entry_key(index), chunk)).expect("removed").expect("was there");
    };
    let refusals = [
        refused("middle", &|tree| remove(tree, 30, 0)),
        refused("part", &|tree| remove(tree, 59, 1)),
        refused("end", &|tree| remove(tree, ENTRIES - 1, 0)),
        refused("vote", &|tree| drop(tree.remove(VOTE).expect("removed").expect("was there"))),
        refused("bits", &|tree| drop(tree.insert(VOTE, b"X\x01four").expect("inserted"))),
    ];
    expect_test::expect![[r#"
        [
            "entry 30 of the log is lost, 31 is there",
            "part 1 of an entry of the log is lost",
            "the log ends with entry 118, but had reached 119",
            "the vote of term 1 is lost",
            "the log's mvote: a record fails its checksum",
        ]
    "#]]
    .assert_debug_eq(&refusals);
}

#[test]
fn log_and_state_agree_or_not() {
    let found = |term, purged: Option<u64>, last: u64, truncations| Found {
        vote: (term > 0).then(|| vote(term)),
        purged: purged.map(|index| log_id(1, index)),
        last: Some(log_id(1, last)),
        truncations,
    };
    let mark = |last_index, term, truncations| Mark { last_index, term, truncations };
    let applied = |index| Some(log_id(1, index));
    let told = |found: Found, applied: Option<LogId>, mark| match found.agrees_with(applied, mark) {
        Ok(()) => "agree".to_owned(),
        Err(damage) => damage.to_string(),
    };
    let told = [
        // A cluster was made, and nobody has voted yet.
        told(found(0, None, 0, 0), None, mark(0, 0, 0)),
        // The state is ahead: a quorum of others had it, or a snapshot was installed.
        told(found(1, None, 5, 0), applied(9), mark(5, 1, 0)),
        // A new leader's truncation was not followed by a write of the state.
        told(found(2, None, 3, 1), applied(2), mark(5, 1, 0)),
        told(found(1, None, 3, 0), applied(2), mark(5, 1, 0)),
        told(found(1, None, 9, 0), applied(2), mark(5, 1, 1)),
        told(found(1, None, 9, 0), applied(2), mark(5, 2, 0)),
        told(found(1, Some(7), 9, 0), applied(2), mark(9, 1, 0)),
    ];
    expect_test::expect![[r#"
        [
            "agree",
            "agree",
            "agree",
            "the log ends with entry 3, but had reached 5",
            "the end of the log is lost",
            "the vote of term 2 is lost",
            "the log begins behind entry 7, but the state ends with entry 2",
        ]
    "#]]
    .assert_debug_eq(&told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_halts_a_replica_halts_it_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let newer = Command(vec![0x08, 99].into());
    let entries = [entry(0), Entry::new(log_id(1, 1), EntryPayload::Normal(newer)), entry(2)];
    for _ in 0..2 {
        let (log, _) = LogStore::open(&dir.path().join("log")).expect("opens");
        let (store, loaded) = StateStore::open(&dir.path().join("state"), log.mark()).expect("opens");
        let published = Published::new(&loaded.applied);
        let mut machine = StateMachine::new(loaded.applied, store, published);
        let (applied, _) = machine.applied_state().await.expect("known");
        let rest = entries.iter().filter(|entry| Some(entry.log_id) > applied);
        let halted = machine.apply(stream::iter(rest.map(|entry| Ok((entry.clone(), None))))).await;
        let why = halted.expect_err("halts").to_string();
        assert!(why.contains("format 99 is newer than this binary's 1: upgrade this master"), "{why}");
        assert_eq!(machine.applied_state().await.expect("known").0, Some(log_id(1, 0)));
    }
}
