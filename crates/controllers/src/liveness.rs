//! Which nodes are heard of. An agent's session costs no writes: the leader remembers
//! when it last heard of each node, and a new leader first listens for a while.

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::conditions;
use crate::view::View;

/// How long nothing was heard of a node; at most as long as this master leads, and as
/// long as the node exists.
pub(crate) fn silence(view: &dyn View, node: &Object, now: Timestamp) -> Duration {
    let created: Option<Timestamp> = node.text(&["metadata", "creationTimestamp"]).parse().ok();
    let moments = [Some(view.leading_since()), view.last_seen(node.name()), created];
    let heard = moments.into_iter().flatten().max().unwrap_or(now);
    Duration::try_from(now.duration_since(heard)).unwrap_or_default()
}

/// Whether a node is Ready by its own condition.
pub(crate) fn is_ready(node: &Object) -> bool {
    conditions::status(node, "Ready") == Some("True")
}

/// How the nodes are doing as a whole, which decides how fast dead nodes are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disruption {
    /// Few nodes are gone: one node's pods every 10 s, the first at once.
    Normal,
    /// 55% or more are gone, more than two: slowly in a large cluster, not at all in a
    /// small one.
    Partial,
    /// None is left: more likely it is we who are cut off, so nothing is given up.
    Full,
}

/// The share of nodes, in percent, from which on it is a [`Disruption::Partial`].
const UNHEALTHY_PERCENT: usize = 55;
/// Up to so many nodes a cluster is small.
const LARGE_CLUSTER: usize = 50;

impl Disruption {
    pub(crate) fn of(nodes: &[Object]) -> Self {
        let gone = nodes.iter().filter(|node| !is_ready(node)).count();
        if gone > 0 && gone == nodes.len() {
            Self::Full
        } else if gone > 2 && gone * 100 >= UNHEALTHY_PERCENT * nodes.len() {
            Self::Partial
        } else {
            Self::Normal
        }
    }

    /// The time between giving up one node and the next; `None` gives up none.
    pub(crate) fn pace(self, nodes: usize) -> Option<Duration> {
        match self {
            Self::Normal => Some(Duration::from_secs(10)),
            Self::Partial if nodes > LARGE_CLUSTER => Some(Duration::from_secs(100)),
            Self::Partial | Self::Full => None,
        }
    }
}
