//! When each node was last heard of, by whichever master. Kept in memory, on every
//! master; only the leader's is complete and used. Liveness costs no writes.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use xebec_apiserver::clock::{Clock, SystemClock};

/// The nodes' last signs of life.
#[derive(Default)]
pub(crate) struct Liveness(Mutex<HashMap<String, Timestamp>>);

impl Liveness {
    /// A node was heard of this long ago.
    pub(crate) fn heard(&self, node: &str, age: Duration) {
        let now = SystemClock.now();
        let then = now.checked_sub(age).unwrap_or(now);
        let mut nodes = self.0.lock().expect("no holder of this lock panics");
        let last = nodes.entry(node.to_owned()).or_insert(then);
        *last = then.max(*last);
    }

    /// When a node was last heard of.
    #[must_use]
    pub(crate) fn last_seen(&self, node: &str) -> Option<Timestamp> {
        self.0.lock().expect("no holder of this lock panics").get(node).copied()
    }
}
