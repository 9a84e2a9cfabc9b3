//! Which of the nodes that can take a pod should: the highest sum of scores. Each score
//! is one file and says 0 to 100. Equal sums are told apart by fewer pods, then by name,
//! so that one view always gives one answer.

mod least_allocated;
mod spread;

use std::cmp::Reverse;

use crate::{NodeInfo, PodInfo};

/// How much spreading an owner's pods counts against evening out what is allocated:
/// as in Kubernetes' default profile, twice.
const SPREAD_WEIGHT: i128 = 2;

/// The best of the nodes at `candidates`.
pub(crate) fn best(pod: &PodInfo, nodes: &[NodeInfo], candidates: &[usize]) -> Option<usize> {
    let most = candidates.iter().map(|index| spread::count(pod, &nodes[*index])).max()?;
    candidates.iter().copied().max_by_key(|index| {
        let node = &nodes[*index];
        let score = least_allocated::score(pod, node) + SPREAD_WEIGHT * spread::score(pod, node, most);
        (score, Reverse(node.pods), Reverse(node.name.as_str()))
    })
}
