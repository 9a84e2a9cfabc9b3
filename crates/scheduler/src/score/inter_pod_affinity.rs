//! Prefers to be near the pods that a pod would rather have beside it, and away from those it
//! would rather not; and in the same way where those that are there would rather have it.

use std::collections::BTreeMap;

use crate::pod_term::PodTerm;
use crate::{Namespaces, NodeInfo, PodInfo};

/// What a pod that requires to be near this one counts for, as in Kubernetes.
const REQUIRED_WEIGHT: i128 = 1;

pub(super) fn scores(
    pod: &PodInfo,
    nodes: &[NodeInfo],
    candidates: &[usize],
    namespaces: &Namespaces,
) -> Vec<i128> {
    let drawn = drawn(pod, nodes, namespaces);
    if drawn.is_empty() {
        return vec![0; candidates.len()];
    }
    let sum = |index: &usize| {
        let labels = nodes[*index].labels.iter();
        labels.filter_map(|(key, value)| drawn.get(&(key.as_str(), value.as_str()))).sum::<i128>()
    };
    let sums: Vec<i128> = candidates.iter().map(sum).collect();
    let least = sums.iter().copied().min().unwrap_or_default();
    let span = sums.iter().copied().max().unwrap_or_default() - least;
    sums.into_iter().map(|sum| if span == 0 { 0 } else { (sum - least) * 100 / span }).collect()
}

/// By topology key and value: how much the pod is drawn there.
fn drawn<'a>(
    pod: &'a PodInfo,
    nodes: &'a [NodeInfo],
    namespaces: &Namespaces,
) -> BTreeMap<(&'a str, &'a str), i128> {
    let mut drawn: BTreeMap<(&str, &str), i128> = BTreeMap::new();
    let mut add = |term: &'a PodTerm, node: &'a NodeInfo, weight: i128| {
        if let Some(value) = node.labels.get(&term.topology_key) {
            *drawn.entry((term.topology_key.as_str(), value.as_str())).or_default() += weight;
        }
    };
    for node in nodes {
        for other in &node.residents {
            for (weight, term) in pod.drawn.iter().filter(|(_, term)| term.selects(other, namespaces)) {
                add(term, node, *weight);
            }
            for (weight, term) in other.drawn.iter().filter(|(_, term)| term.selects(pod, namespaces)) {
                add(term, node, *weight);
            }
            for term in other.near.iter().filter(|term| term.selects(pod, namespaces)) {
                add(term, node, REQUIRED_WEIGHT);
            }
        }
    }
    drawn
}
