//! What the API needs of the replicated store, so that it can be tested on one in
//! memory and run on Raft.

use std::sync::Arc;

use tokio::sync::watch;
use xebec_api::error::{ApiError, Reason};
use xebec_state::{Reply, State, Transaction};

/// The replicated store.
#[tonic::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Replicates a transaction. Once it is answered, [`Store::state`] holds it.
    /// Passed on to the leader, unless it is fenced.
    async fn propose(&self, transaction: Transaction) -> Result<Reply, StoreError>;

    /// After this, [`Store::state`] holds every write that was answered before.
    async fn barrier(&self) -> Result<(), StoreError>;

    /// The applied state of this process.
    fn state(&self) -> Arc<State>;

    /// The revision of [`Store::state`], told with every change.
    fn revisions(&self) -> watch::Receiver<u64>;
}

/// Why the store did not do it, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing happened: there is no leader, or no quorum.
    #[error("{0}")]
    NoLeader(String),
    /// It may or may not have happened.
    #[error("{0}")]
    Unknown(String),
    /// This process takes no part any more.
    #[error("{0}")]
    Stopped(String),
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoLeader(why) => Self::new(Reason::ServiceUnavailable, format!("{why}: try again")),
            StoreError::Stopped(why) => Self::new(Reason::ServiceUnavailable, why),
            StoreError::Unknown(why) => {
                Self::new(Reason::Timeout, format!("{why}: read the object to find out"))
            }
        }
    }
}
