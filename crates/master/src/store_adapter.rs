//! The Raft node as the API's store.

use std::sync::Arc;

use tokio::sync::watch;
use xebec_apiserver::store::{Store, StoreError};
use xebec_raft::{Node, ProposeError};
use xebec_state::{Reply, State, Transaction};

/// A Raft node, as the API sees it.
pub(crate) struct RaftStore(pub Arc<Node>);

#[tonic::async_trait]
impl Store for RaftStore {
    async fn propose(&self, transaction: Transaction) -> Result<Reply, StoreError> {
        self.0.propose(&transaction).await.map_err(store_error)
    }

    async fn barrier(&self) -> Result<(), StoreError> {
        self.0.barrier().await.map_err(store_error)
    }

    fn state(&self) -> Arc<State> {
        self.0.state()
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.0.revisions()
    }
}

fn store_error(error: ProposeError) -> StoreError {
    match error {
        ProposeError::NoLeader(_) | ProposeError::NotLeading | ProposeError::Refused(_) => {
            StoreError::NoLeader(error.to_string())
        }
        ProposeError::Unknown(_) => StoreError::Unknown(error.to_string()),
        ProposeError::Stopped(_) => StoreError::Stopped(error.to_string()),
    }
}
