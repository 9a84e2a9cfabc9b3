//! A store in memory, for tests of whatever stands above the store.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use xebec_state::{Reply, State, Transaction};

use crate::store::{Store, StoreError};

/// One replica, in term 1, that is always current.
pub struct MemoryStore {
    state: Mutex<State>,
    revision: watch::Sender<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Mutex::default(), revision: watch::Sender::new(0) }
    }
}

#[tonic::async_trait]
impl Store for MemoryStore {
    async fn propose(&self, transaction: Transaction) -> Result<Reply, StoreError> {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        let reply = state.apply(&transaction, 1).map_err(|halt| StoreError::Stopped(halt.to_string()))?;
        self.revision.send_replace(state.revision());
        Ok(reply)
    }

    async fn barrier(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn state(&self) -> Arc<State> {
        Arc::new(self.state.lock().expect("no holder of this lock panics").clone())
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}
