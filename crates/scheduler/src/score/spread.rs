//! Prefers the node with fewer pods of the same owner, so that one dead node takes few
//! replicas of anything with it.

use crate::{NodeInfo, PodInfo};

/// The pods of the same owner that are here already.
pub(super) fn count(pod: &PodInfo, node: &NodeInfo) -> i128 {
    node.owners.get(&pod.owner).copied().unwrap_or_default()
}

/// Against the node that has `most` of them.
pub(super) fn score(pod: &PodInfo, node: &NodeInfo, most: i128) -> i128 {
    if most == 0 { 100 } else { (most - count(pod, node)) * 100 / most }
}
