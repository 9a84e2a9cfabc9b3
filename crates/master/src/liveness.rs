//! When each node was last heard of, by whichever master. Kept in memory, on every
//! master; only the leader's is complete and used. Liveness costs no writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use xebec_apiserver::clock::{Clock, SystemClock};

/// A node that was silent for longer comes back with its next word: twice what passes
/// between two reports.
const SILENCE_SECONDS: i64 = 2;

/// The nodes' last signs of life.
#[derive(Default)]
pub(crate) struct Liveness {
    nodes: Mutex<HashMap<String, Timestamp>>,
    returned: Arc<Notify>,
}

impl Liveness {
    /// A node was heard of this long ago.
    pub(crate) fn heard(&self, node: &str, age: Duration) {
        let now = SystemClock.now();
        let then = now.checked_sub(age).unwrap_or(now);
        let mut nodes = self.nodes.lock().expect("no holder of this lock panics");
        let before = nodes.get(node).copied();
        if before.is_none_or(|before| then.as_second() - before.as_second() > SILENCE_SECONDS) {
            self.returned.notify_one();
        }
        nodes.insert(node.to_owned(), before.map_or(then, |before| then.max(before)));
    }

    /// Told when a node is heard of that was silent.
    #[must_use]
    pub(crate) fn returned(&self) -> Arc<Notify> {
        self.returned.clone()
    }

    /// When a node was last heard of.
    #[must_use]
    pub(crate) fn last_seen(&self, node: &str) -> Option<Timestamp> {
        self.nodes.lock().expect("no holder of this lock panics").get(node).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn only_a_node_that_was_silent_comes_back() {
        let liveness = Liveness::default();
        let returned = liveness.returned();
        let told = || returned.notified().now_or_never().is_some();
        liveness.heard("n1", Duration::from_secs(9));
        assert!(told(), "it was never heard of");
        liveness.heard("n1", Duration::from_secs(8));
        assert!(!told(), "it goes on");
        liveness.heard("n1", Duration::ZERO);
        assert!(told(), "it was silent");
        let last = liveness.last_seen("n1");
        liveness.heard("n1", Duration::from_secs(5));
        assert_eq!(liveness.last_seen("n1"), last, "an older report takes nothing back");
        assert_eq!(liveness.last_seen("n2"), None);
    }
}
