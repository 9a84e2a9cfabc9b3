//! The two stores by themselves: what they keep in memory, on the disk, and over a
//! restart, where openraft's suite does not look.

use std::path::Path;

use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogReader, RaftLogStorage, RaftLogStorageExt};
use xebec_state::{Key, Operation, State, Transaction};

use crate::log_store::LogStore;
use crate::mark::{Mark, SharedMark};
use crate::state_store::{Applied, Loaded, StateStore};
use crate::types::{Command, Entry, Member, Membership, StoredMembership, Vote, log_id, vote_from_wire};

fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    Entry::new(log_id(term, index), EntryPayload::Normal(Command(vec![index as u8; bytes].into())))
}

fn vote(term: u64) -> Vote {
    let wire = xebec_rpc::raft::v1::Vote { term, node_id: 4, committed: false };
    vote_from_wire(Some(&wire)).expect("whole")
}

fn open(dir: &Path) -> LogStore {
    LogStore::open(dir).expect("opens").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_beyond_the_cache_come_from_the_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut log = open(dir.path());
    // Three times what is kept in memory.
    for index in 0..240 {
        log.blocking_append([entry(1, index, 100_000)]).await.expect("appended");
    }
    let all = log.try_get_log_entries(..).await.expect("read");
    let indices: Vec<u64> = all.iter().map(|entry| entry.log_id.index).collect();
    assert_eq!(indices, (0..240).collect::<Vec<_>>());
    assert_eq!(all[7], entry(1, 7, 100_000));
    // One read for replication is bounded by bytes, from the disk as from memory.
    for from in [0, 230] {
        let part = log.limited_get_log_entries(from, 240).await.expect("read");
        let bytes: usize = part.len() * 100_000;
        assert!(part[0].log_id.index == from && bytes <= 3 << 20, "{} entries from {from}", part.len());
    }
    assert_eq!(log.limited_get_log_entries(240, 250).await.expect("read"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_larger_than_every_bound_is_still_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let large = entry(1, 0, 10 << 20);
    for _ in 0..2 {
        let mut log = open(dir.path());
        if log.is_empty() {
            log.save_vote(&vote(1)).await.expect("saved");
            log.blocking_append([large.clone(), entry(1, 1, 10)]).await.expect("appended");
        }
        assert_eq!(log.limited_get_log_entries(0, 2).await.expect("read")[0], large);
        assert_eq!(log.try_get_log_entries(0..2).await.expect("read").len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_vote_committed_purged_and_the_truncated_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut log = open(dir.path());
    log.save_vote(&vote(2)).await.expect("saved");
    log.blocking_append((0..20).map(|index| entry(1, index, 60_000))).await.expect("appended");
    log.save_committed(Some(log_id(1, 9))).await.expect("queued");
    log.purge(log_id(1, 4)).await.expect("purged");
    log.truncate_after(Some(log_id(1, 14))).await.expect("truncated");
    log.blocking_append([entry(2, 15, 70_000)]).await.expect("appended");
    let mark = log.mark().get();
    assert_eq!(mark, Mark { last_index: 15, term: 2, truncations: 1 });
    drop(log);
    let mut log = open(dir.path());
    assert_eq!(log.mark().get(), mark);
    assert_eq!(log.read_vote().await.expect("read"), Some(vote(2)));
    assert_eq!(log.read_committed().await.expect("read"), Some(log_id(1, 9)));
    let state = log.get_log_state().await.expect("known");
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(1, 4)), Some(log_id(2, 15))));
    let entries = log.try_get_log_entries(..).await.expect("read");
    let expected = (5..15).map(|index| entry(1, index, 60_000)).chain([entry(2, 15, 70_000)]);
    assert_eq!(entries, expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purged_entries_are_gone_at_once_and_leave_the_disk_later() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut log = open(dir.path());
    log.save_vote(&vote(1)).await.expect("saved");
    for first in (0..1_000).step_by(100) {
        log.blocking_append((first..first + 100).map(|index| entry(1, index, 10))).await.expect("appended");
    }
    log.purge(log_id(1, 899)).await.expect("purged");
    let left = log.try_get_log_entries(..).await.expect("read");
    assert_eq!(left.first().map(|entry| entry.log_id.index), Some(900));
    assert_eq!(log.try_get_log_entries(10..20).await.expect("read"), []);
    for index in 1_000..1_020 {
        log.blocking_append([entry(1, index, 10)]).await.expect("appended");
    }
    drop(log);
    let db = crate::database::open(dir.path()).expect("opens");
    let tree = db.open_tree("log").expect("there");
    assert_eq!(tree.range(b"e".as_slice()..b"f".as_slice()).count(), 120, "twenty writes swept the rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_far_ahead_leaves_a_log_that_goes_on_behind_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut log = open(dir.path());
    log.save_vote(&vote(3)).await.expect("saved");
    log.blocking_append((0..10).map(|index| entry(1, index, 10))).await.expect("appended");
    log.purge(log_id(3, 5_000)).await.expect("purged");
    log.blocking_append([entry(3, 5_001, 10)]).await.expect("appended");
    drop(log);
    let mut log = open(dir.path());
    let state = log.get_log_state().await.expect("known");
    assert_eq!(
        (state.last_purged_log_id, state.last_log_id),
        (Some(log_id(3, 5_000)), Some(log_id(3, 5_001)))
    );
    assert_eq!(log.try_get_log_entries(..).await.expect("read"), [entry(3, 5_001, 10)]);
}

fn key(name: &str) -> Key {
    Key::new("pods", "default", name)
}

/// Applies one operation and says which keys changed.
fn step(applied: &mut Applied, operation: Operation) -> [Key; 1] {
    let (Operation::Put(key, _) | Operation::Delete(key)) = &operation;
    let key = key.clone();
    let transaction = Transaction { operations: vec![operation], ..Transaction::default() };
    applied.state.apply(&transaction, 1).expect("applies");
    let index = applied.last.map_or(0, |last| last.index + 1);
    applied.last = Some(log_id(1, index));
    [key]
}

fn same(loaded: &State, state: &State) {
    assert_eq!((loaded.revision(), loaded.hash()), (state.revision(), state.hash()));
    assert!(loaded.objects().eq(state.objects()));
}

fn open_state(dir: &Path, mark: Mark) -> (StateStore, Loaded) {
    let shared = SharedMark::default();
    shared.set(mark);
    StateStore::open(dir, shared).expect("opens")
}

#[test]
fn the_state_on_disk_is_the_state_that_was_handed_over() {
    let dir = tempfile::tempdir().expect("a folder");
    let mark = Mark { last_index: 7, term: 2, truncations: 1 };
    let (store, Loaded { mut applied, .. }) = open_state(dir.path(), mark);
    let members = [(4, Member { name: "m4".to_owned(), ..Member::default() })];
    let membership =
        Membership::new(vec![[4].into()], std::collections::BTreeMap::from(members)).expect("a voter");
    applied.membership = StoredMembership::new(Some(log_id(1, 0)), membership);
    let value = |name: &str, bytes: usize, applied: &mut Applied| {
        let dirty = step(applied, Operation::Put(key(name), vec![b'v'; bytes].into()));
        store.write_behind(applied.clone(), dirty);
    };
    // It grows over chunks, shrinks, and one comes and goes before anybody writes it.
    value("grows", 10, &mut applied);
    value("grows", 200_000, &mut applied);
    store.wait_written().expect("written");
    value("grows", 60_000, &mut applied);
    value("gone", 100_000, &mut applied);
    let dirty = step(&mut applied, Operation::Delete(key("gone")));
    store.write_behind(applied.clone(), dirty);
    store.wait_written().expect("written");
    // Waiting once more is no work.
    store.wait_written().expect("written");
    drop(store);
    let (_, loaded) = open_state(dir.path(), Mark::default());
    same(&loaded.applied.state, &applied.state);
    assert_eq!((loaded.applied.last, loaded.mark), (applied.last, mark));
    assert_eq!(loaded.applied.membership, applied.membership);
}

#[test]
fn what_waits_is_written_when_the_store_closes() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, Loaded { mut applied, .. }) = open_state(dir.path(), Mark::default());
    for number in 0..500 {
        let dirty = step(&mut applied, Operation::Put(key(&format!("p-{number}")), "v".into()));
        store.write_behind(applied.clone(), dirty);
    }
    drop(store);
    let (_, loaded) = open_state(dir.path(), Mark::default());
    same(&loaded.applied.state, &applied.state);
}

#[test]
fn a_snapshot_replaces_everything_on_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    let (store, Loaded { mut applied, .. }) = open_state(dir.path(), Mark::default());
    let dirty = step(&mut applied, Operation::Put(key("old"), vec![b'v'; 100_000].into()));
    store.write_behind(applied, dirty);
    store.wait_written().expect("written");
    let mut other = Applied { last: Some(log_id(5, 900)), ..Applied::default() };
    step(&mut other, Operation::Put(key("new"), "v".into()));
    store.replace(other.clone());
    store.wait_written().expect("written");
    let dirty = step(&mut other, Operation::Put(key("newer"), "v".into()));
    store.write_behind(other.clone(), dirty);
    drop(store);
    let (_, loaded) = open_state(dir.path(), Mark::default());
    same(&loaded.applied.state, &other.state);
    assert!(loaded.applied.state.get(&key("old")).is_none());
}
