//! When each node was last heard of, by whichever master. Kept in memory, on every
//! master; only the leader's is complete and used. Liveness costs no writes.
//!
//! Reckoned by a clock that nobody sets: were it the host's time of day, a leader whose clock
//! is put forward would take every node for dead until the next reports, and one whose clock is
//! put back a dead node for alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A node that was silent for longer comes back with its next word: three times what passes
/// between two reports.
const SILENCE: Duration = Duration::from_secs(3);

/// The nodes' last signs of life.
#[derive(Default)]
pub(crate) struct Liveness {
    nodes: Mutex<HashMap<String, Instant>>,
    returned: Arc<Notify>,
}

impl Liveness {
    /// A node was heard of this long ago.
    pub(crate) fn heard(&self, node: &str, age: Duration) {
        // Longer ago than can be told is not heard of.
        let Some(then) = Instant::now().checked_sub(age) else { return };
        let mut nodes = self.nodes();
        let before = nodes.get(node).copied();
        if before.is_none_or(|before| then.saturating_duration_since(before) > SILENCE) {
            self.returned.notify_one();
        }
        nodes.insert(node.to_owned(), before.map_or(then, |before| then.max(before)));
    }

    /// Told when a node is heard of that was silent.
    #[must_use]
    pub(crate) fn returned(&self) -> Arc<Notify> {
        self.returned.clone()
    }

    /// How long nothing was heard of a node; `None` when nothing ever was.
    #[must_use]
    pub(crate) fn silence(&self, node: &str) -> Option<Duration> {
        self.nodes().get(node).map(Instant::elapsed)
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.nodes.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    // With paused time: the time of day goes on as it likes, and counts for nothing.
    #[tokio::test(start_paused = true)]
    async fn only_a_node_that_was_silent_comes_back() {
        let liveness = Liveness::default();
        let returned = liveness.returned();
        let told = || returned.notified().now_or_never().is_some();
        let silence = |node: &str| liveness.silence(node).map(|silence| silence.as_secs());
        liveness.heard("n1", Duration::from_secs(9));
        assert!(told(), "it was never heard of");
        liveness.heard("n1", Duration::from_secs(8));
        assert!(!told(), "it goes on");
        liveness.heard("n1", Duration::ZERO);
        assert!(told(), "it was silent");
        liveness.heard("n1", Duration::from_secs(5));
        assert_eq!(silence("n1"), Some(0), "an older report takes nothing back");
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!((silence("n1"), silence("n2")), (Some(7), None));
        liveness.heard("n1", Duration::MAX);
        assert_eq!(silence("n1"), Some(7), "a report that makes no sense says nothing");
    }
}
