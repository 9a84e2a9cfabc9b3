//! Which of the nodes that can take a pod should: the highest sum of scores. Each score
//! is one file and says 0 to 100. Equal sums are told apart by fewer pods, then by name,
//! so that one view always gives one answer.

mod inter_pod_affinity;
mod least_allocated;
mod node_affinity;
mod prefer_no_schedule;
mod spread;
mod topology_spread;

use std::cmp::Reverse;

use crate::{Namespaces, NodeInfo, PodInfo};

/// How much spreading an owner's pods counts against evening out what is allocated:
/// as in Kubernetes' default profile, twice.
const SPREAD_WEIGHT: i128 = 2;

/// The best of the nodes at `candidates`.
pub(crate) fn best(
    pod: &PodInfo,
    nodes: &[NodeInfo],
    candidates: &[usize],
    namespaces: &Namespaces,
) -> Option<usize> {
    if let [only] = candidates {
        return Some(*only);
    }
    let most = candidates.iter().map(|index| spread::count(pod, &nodes[*index])).max()?;
    // With the weights of Kubernetes' default profile.
    let wishes: [(i128, Vec<i128>); 4] = [
        (3, prefer_no_schedule::scores(pod, nodes, candidates)),
        (2, node_affinity::scores(pod, nodes, candidates)),
        (2, inter_pod_affinity::scores(pod, nodes, candidates, namespaces)),
        (2, topology_spread::scores(pod, nodes, candidates)),
    ];
    let best = (0..candidates.len()).max_by_key(|place| {
        let node = &nodes[candidates[*place]];
        let own = least_allocated::score(pod, node) + SPREAD_WEIGHT * spread::score(pod, node, most);
        let wished: i128 = wishes.iter().map(|(weight, scores)| weight * scores[*place]).sum();
        (own + wished, Reverse(node.pods), Reverse(node.name.as_str()))
    });
    best.map(|place| candidates[place])
}

/// 0 to 100, the highest getting 100; all the same when nobody has any.
fn in_proportion(raw: &[i128]) -> Vec<i128> {
    let most = raw.iter().copied().max().unwrap_or_default().max(1);
    raw.iter().map(|raw| raw * 100 / most).collect()
}
