//! The one thread that writes the log. It writes everything that waits in its queue, in
//! that order, flushes once, and only then tells each that its bytes are on
//! the disk: that is the group commit.
//!
//! A failed write or flush ends the thread and every later request with it: after a
//! failed fsync nobody knows what is on the disk.

use std::io;
use std::thread::JoinHandle;

use openraft::storage::IOFlushed;
use sled::{IVec, Tree};
use tokio::sync::{mpsc, oneshot};

use crate::log_layout::entry_key;
use crate::mark::{Reached, SharedMark};
use crate::types::TypeConfig;

/// Requests that may wait; a full queue makes Raft wait.
const QUEUE: usize = 1024;

/// Purged records removed with every group, beside two for each that it writes.
const SWEEP: usize = 64;

/// A key and its value; `None` removes the key.
pub(crate) type Record = (Vec<u8>, Option<IVec>);

/// What is to be written.
pub(crate) struct Write {
    pub(crate) records: Vec<Record>,
    pub(crate) done: Done,
    /// What is on the disk once this is.
    pub(crate) reached: Reached,
}

/// Whom to tell that it is on the disk.
pub(crate) enum Done {
    Raft(IOFlushed<TypeConfig>),
    Caller(oneshot::Sender<io::Result<()>>),
    /// Nobody waits: it goes to the disk with the next that somebody waits for.
    Nobody,
}

/// The writer's end that the log store holds. Dropping it ends the thread once its
/// queue is empty.
pub(crate) struct LogWriter {
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    /// What is known to be on the disk.
    pub(crate) mark: SharedMark,
}

impl LogWriter {
    /// Starts the thread; `mark` is what the log holds already.
    pub(crate) fn start(tree: Tree, mark: SharedMark) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel(QUEUE);
        let shared = mark.clone();
        let thread = std::thread::Builder::new()
            .name("xebec-log".to_owned())
            .spawn(move || run(&tree, requests, &shared))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), mark })
    }

    /// Queues a write.
    ///
    /// # Errors
    /// When the thread has ended, after a failed write.
    pub(crate) async fn write(&self, write: Write) -> io::Result<()> {
        let queue = self.queue.as_ref().expect("taken only when dropped");
        queue
            .send(write)
            .await
            .map_err(|_| io::Error::other("the log's writer has ended after a failed write"))
    }

    /// Queues a write and waits until it is on the disk.
    ///
    /// # Errors
    /// When it did not get there.
    pub(crate) async fn write_durably(&self, records: Vec<Record>, reached: Reached) -> io::Result<()> {
        let (done, waiter) = oneshot::channel();
        self.write(Write { records, done: Done::Caller(done), reached }).await?;
        waiter.await.map_err(|_| io::Error::other("the log's writer has ended"))?
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn run(tree: &Tree, mut requests: mpsc::Receiver<Write>, mark: &SharedMark) {
    let (mut waiting, mut purged_end) = (Vec::new(), 0);
    while requests.blocking_recv_many(&mut waiting, QUEUE) > 0 {
        purged_end = waiting.iter().filter_map(|write| write.reached.purged_end).fold(purged_end, u64::max);
        let outcome = commit(tree, &waiting, purged_end);
        if outcome.is_ok() {
            mark.reach(waiting.iter().map(|write| write.reached));
        }
        for write in waiting.drain(..) {
            tell(write.done, &outcome);
        }
        if let Err(error) = outcome {
            tracing::error!(%error, "the log could not be written: this master stops taking part");
            return;
        }
    }
}

/// Writes in the order of the queue, then flushes once. No sled batch: it is atomic, but
/// at the price of three writes and three syncs. What a power loss leaves of these is a
/// prefix of them, and the log's layout is such that every prefix makes sense.
fn commit(tree: &Tree, writes: &[Write], purged_end: u64) -> io::Result<()> {
    let mut records = 0;
    for (key, value) in writes.iter().flat_map(|write| &write.records) {
        match value {
            Some(value) => tree.insert(key, value.clone())?,
            None => tree.remove(key)?,
        };
        records += 1;
    }
    sweep(tree, purged_end, SWEEP + 2 * records)?;
    if writes.iter().any(|write| !matches!(write.done, Done::Nobody)) {
        tree.flush()?;
    }
    Ok(())
}

/// Removes some of what was purged: all of it at once would hold up the writes behind it.
fn sweep(tree: &Tree, purged_end: u64, most: usize) -> sled::Result<()> {
    for key in tree.range(entry_key(0)..entry_key(purged_end)).keys().take(most) {
        tree.remove(key?)?;
    }
    Ok(())
}

fn tell(done: Done, outcome: &io::Result<()>) {
    let outcome = match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    match done {
        Done::Raft(callback) => callback.io_completed(outcome),
        Done::Caller(waiter) => {
            // A caller that stopped waiting has nothing to be told.
            let _ = waiter.send(outcome);
        }
        Done::Nobody => {}
    }
}
