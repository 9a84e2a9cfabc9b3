//! What readers find while the log's writer is at work, step by step.

use openraft::EntryPayload;
use openraft::entry::RaftEntry;
use openraft::storage::RaftLogStorageExt;

use super::*;
use crate::types::{Command, log_id};

fn entry(index: u64, bytes: usize) -> Entry {
    Entry::new(log_id(1, index), EntryPayload::Normal(Command(vec![index as u8; bytes].into())))
}

/// A log whose entries are on the disk, and none of them in memory.
async fn reopened(dir: &Path, entries: u64) -> LogStore {
    let (mut log, closed) = LogStore::open(dir).expect("opens");
    log.blocking_append((0..entries).map(|index| entry(index, 10))).await.expect("appended");
    drop(log);
    closed.await.expect_err("the sender is dropped");
    LogStore::open(dir).expect("opens again").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_being_written_is_read_from_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut log = reopened(dir.path(), 3).await;
    // The writer has got as far as the first of its parts.
    let large = entry(3, 3 * database::CHUNK_BYTES);
    log.recent().push(large.clone());
    let bytes = types::entry_to_wire(&large).encode_to_vec();
    let (key, part) = database::seal_chunks(&entry_key(3), &bytes).swap_remove(0);
    log.0.tree.insert(key, part).expect("inserted");

    let before: Vec<Entry> = (0..3).map(|index| entry(index, 10)).collect();
    assert_eq!(log.limited_get_log_entries(0, 4).await.expect("read"), before);
    assert_eq!(log.limited_get_log_entries(3, 4).await.expect("read"), std::slice::from_ref(&large));
    let all = log.try_get_log_entries(0..4).await.expect("read");
    assert_eq!(all, before.into_iter().chain([large]).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_holds_all_on_the_disk_is_read_to_its_end_and_no_further() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut log = reopened(dir.path(), 3).await;
    assert_eq!(log.try_get_log_entries(..).await.expect("read").len(), 3);
    assert_eq!(log.limited_get_log_entries(2, 9).await.expect("read"), [entry(2, 10)]);
    assert_eq!(log.limited_get_log_entries(3, 9).await.expect("read"), []);
}
