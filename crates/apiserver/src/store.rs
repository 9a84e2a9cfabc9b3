//! What the apiserver needs of the replicated store: propose, a linearizable read
//! point, the applied state, and word of new revisions. Raft implements it in the
//! master, [`crate::testing::MemoryStore`] in tests.

use std::sync::Arc;

use tokio::sync::watch;
use xebec_api::error::{ApiError, Reason};
use xebec_state::{Reply, State, Transaction};

/// The replicated store as one process sees it.
#[tonic::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Proposes a transaction, forwarding it to the leader unless it is fenced. Returns
    /// `Ok` only once this process's own [`Store::state`] includes the write.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unknown`] the write may have happened.
    async fn propose(&self, transaction: Transaction) -> Result<Reply, StoreError>;

    /// Waits until this process's state includes everything that was acknowledged
    /// anywhere before the call.
    ///
    /// # Errors
    /// [`StoreError`] when there is no quorum to ask.
    async fn barrier(&self) -> Result<(), StoreError>;

    /// What this process has applied, possibly behind the leader.
    fn state(&self) -> Arc<State>;

    /// The revision of [`Store::state`], changed after each published batch.
    fn revisions(&self) -> watch::Receiver<u64>;
}

/// Why the store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing happened: nobody leads, or the leader cannot be reached.
    #[error("no leader: {0}")]
    NoLeader(String),
    /// The write may have happened or may still happen: barrier and read again.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// This process is going down.
    #[error("stopping: {0}")]
    Stopped(String),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NoLeader(_) | StoreError::Stopped(_) => {
                Self::new(Reason::ServiceUnavailable, format!("{error}; try again"))
            }
            StoreError::Unknown(why) => {
                let message =
                    format!("the outcome of the write is unknown ({why}): read again before you repeat it");
                Self::new(Reason::Timeout, message)
            }
        }
    }
}
