//! One pass: many pods over one view.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decision::{Decision, Outcome};
use crate::filter::refusals;
use crate::score::best;
use crate::{Namespaces, NodeInfo, PodInfo};

/// Decides for every pod: the highest priority first, then the oldest. A pod that is
/// placed counts on its node for those after it.
#[must_use]
pub fn schedule(nodes: &[NodeInfo], pods: &[Arc<PodInfo>], namespaces: &Namespaces) -> Vec<Decision> {
    let mut nodes = nodes.to_vec();
    let mut queue: Vec<&Arc<PodInfo>> = pods.iter().collect();
    queue.sort_by_key(|pod| (Reverse(pod.priority), &pod.created, &pod.namespace, &pod.name));
    queue
        .into_iter()
        .map(|pod| Decision {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            outcome: place(pod, &mut nodes, namespaces),
        })
        .collect()
}

fn place(pod: &Arc<PodInfo>, nodes: &mut [NodeInfo], namespaces: &Namespaces) -> Outcome {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut candidates = Vec::new();
    for (index, refusals) in refusals(pod, nodes, namespaces).into_iter().enumerate() {
        if refusals.is_empty() {
            candidates.push(index);
        }
        for reason in refusals {
            *reasons.entry(reason.to_string()).or_default() += 1;
        }
    }
    match best(pod, nodes, &candidates, namespaces) {
        Some(index) => {
            nodes[index].add(pod);
            Outcome::Bind { node: nodes[index].name.clone() }
        }
        None => Outcome::Unschedulable { message: explain(nodes.len(), &reasons) },
    }
}

/// As Kubernetes words it: `0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods.`
fn explain(nodes: usize, reasons: &BTreeMap<String, usize>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut reasons: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    reasons.sort();
    format!("0/{nodes} nodes are available: {}.", reasons.join(", "))
}

#[cfg(test)]
mod tests;
