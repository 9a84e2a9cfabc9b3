//! Prefers the domains with fewer of a pod's like, by its topology spread constraints that need
//! not hold. Nodes without the labels that they go by come last.

use std::collections::BTreeMap;

use crate::spread_constraint::SpreadConstraint;
use crate::{NodeInfo, PodInfo};

pub(super) fn scores(pod: &PodInfo, nodes: &[NodeInfo], candidates: &[usize]) -> Vec<i128> {
    if pod.even.is_empty() {
        return vec![0; candidates.len()];
    }
    let crowds: Vec<Option<i128>> = crowds(pod, nodes, candidates);
    let most = crowds.iter().flatten().copied().max().unwrap_or_default();
    let least = crowds.iter().flatten().copied().min().unwrap_or_default();
    let score = |crowd: i128| if most == 0 { 100 } else { 100 * (most + least - crowd) / most };
    crowds.into_iter().map(|crowd| crowd.map_or(0, score)).collect()
}

/// How crowded each candidate is with the pod's like, in thousandths of a pod; `None` where a
/// label is missing.
fn crowds(pod: &PodInfo, nodes: &[NodeInfo], candidates: &[usize]) -> Vec<Option<i128>> {
    let complete = |node: &NodeInfo| pod.even.iter().all(|it| node.labels.contains_key(&it.topology_key));
    let mut crowds: Vec<Option<i128>> =
        candidates.iter().map(|index| complete(&nodes[*index]).then_some(0)).collect();
    for constraint in &pod.even {
        let key = &constraint.topology_key;
        let mut domains: BTreeMap<&str, i64> = BTreeMap::new();
        for (index, _) in candidates.iter().zip(&crowds).filter(|(_, crowd)| crowd.is_some()) {
            domains.entry(nodes[*index].labels[key].as_str()).or_default();
        }
        for node in nodes.iter().filter(|node| complete(node) && counts(constraint, pod, node)) {
            if let Some(like) = domains.get_mut(node.labels[key].as_str()) {
                *like += constraint.like(pod, node);
            }
        }
        let weight = weight(domains.len());
        for (index, crowd) in candidates.iter().zip(&mut crowds) {
            if let Some(crowd) = crowd {
                let like = domains[nodes[*index].labels[key].as_str()];
                *crowd += i128::from(like) * weight + i128::from(constraint.max_skew - 1) * 1000;
            }
        }
    }
    crowds
}

/// What one pod counts for where there are so many domains, as in Kubernetes the logarithm of two
/// more than that, in thousandths: of many domains each has few, which must not count for less.
fn weight(domains: usize) -> i128 {
    let domains = i128::try_from(domains).unwrap_or(i128::MAX);
    // The area under 1/x from 1 on, by the middle of each step.
    (1..domains.saturating_add(2)).map(|step| 2000 / (2 * step + 1)).sum()
}

fn counts(constraint: &SpreadConstraint, pod: &PodInfo, node: &NodeInfo) -> bool {
    let allowed = !constraint.honors_affinity || pod.affinity.matches(&node.name, &node.labels);
    allowed && (!constraint.honors_taints || crate::filter::is_tolerated(pod, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_counts_for_more_the_more_domains_there_are() {
        assert_eq!([1, 2, 10, 100].map(weight), [1066, 1351, 2443, 4538]);
    }
}
