//! Linearizable reads, batched: all that wait for a read index share the next one.

use tokio::sync::{mpsc, oneshot};

use crate::core::{Core, ProposeError};

/// Reads that may wait.
const QUEUE: usize = 4096;

type Waiter = oneshot::Sender<Result<(), ProposeError>>;

/// The end that readers hold.
#[derive(Clone)]
pub(crate) struct Barrier(mpsc::Sender<Waiter>);

impl Barrier {
    /// The readers' end, and the task behind it, which ends with the last reader.
    pub(crate) fn new(core: Core) -> (Self, impl Future<Output = ()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self(queue), run(core, waiting))
    }

    pub(crate) async fn wait(&self) -> Result<(), ProposeError> {
        let (waiter, answer) = oneshot::channel();
        let stopped = || ProposeError::Stopped("this master is shutting down".to_owned());
        self.0.send(waiter).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

async fn run(core: Core, mut waiting: mpsc::Receiver<Waiter>) {
    let mut batch = Vec::new();
    // Whoever joins while a read index is under way must take the next one: an index
    // asked for before a read began may be older than a write that the reader has seen.
    while waiting.recv_many(&mut batch, QUEUE).await > 0 {
        let outcome = core.read_index().await;
        for waiter in batch.drain(..) {
            // A reader that stopped waiting has nothing to be told.
            let _ = waiter.send(outcome.clone());
        }
    }
}
