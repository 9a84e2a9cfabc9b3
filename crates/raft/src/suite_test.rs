//! openraft's own storage suite against our stores.

use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use crate::log_store::LogStore;
use crate::state_machine::{Published, StateMachine};
use crate::state_store::StateStore;
use crate::types::TypeConfig;

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), openraft::StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().expect("a folder");
        let (log, _) = LogStore::open(&dir.path().join("log")).expect("a fresh log opens");
        let (store, loaded) =
            StateStore::open(&dir.path().join("state"), log.mark()).expect("a fresh state opens");
        let applied = loaded.applied;
        let published = Published::new(&applied);
        Ok((dir, log, StateMachine::new(applied, store, published)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openraft_accepts_the_stores() {
    Suite::test_all(Builder).await.expect("the whole suite");
}
