//! Now and then the leader says what its state's hash is at a revision. A replica that is
//! at this revision with another hash halts, before it drifts further.

use xebec_state::{HashAt, Transaction};

use crate::leader::Term;

/// Revisions from one comparison to the next.
const EVERY: u64 = 1000;

/// Proposes hashes until the term is over.
pub(crate) async fn run(term: Term) {
    let store = term.around.api.store().clone();
    let mut revisions = store.revisions();
    let mut next = store.state().revision() + EVERY;
    loop {
        let reached = async { revisions.wait_for(|revision| *revision >= next).await.is_ok() };
        if term.over.run_until_cancelled(reached).await != Some(true) {
            return;
        }
        // The two belong together: one published state.
        let state = store.state();
        next = state.revision() + EVERY;
        let transaction = Transaction {
            fence: Some(term.number),
            expect_hash: Some(HashAt { revision: state.revision(), hash: state.hash() }),
            ..Transaction::default()
        };
        match term.over.run_until_cancelled(store.propose(transaction)).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => tracing::debug!(%error, "the states were not compared"),
            None => return,
        }
    }
}
