//! Which nodes can take a pod. Each filter is one file and answers with what it has
//! against a node; the first filter that refuses a node speaks for it.

mod node_affinity;
mod node_name;
mod ports;
mod resources;
mod taints;
mod unschedulable;

use crate::{NodeInfo, PodInfo, Refusal};

type Filter = fn(&PodInfo, &NodeInfo) -> Vec<Refusal>;

/// In Kubernetes' order of plugins.
const FILTERS: [Filter; 6] = [
    unschedulable::refuse,
    node_name::refuse,
    taints::refuse,
    node_affinity::refuse,
    ports::refuse,
    resources::refuse,
];

/// Why a node cannot take a pod; empty when it can.
#[must_use]
pub fn refusals(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let refusals = FILTERS.iter().map(|filter| filter(pod, node));
    refusals.into_iter().find(|reasons| !reasons.is_empty()).unwrap_or_default()
}

/// A filter with one reason.
fn refuse_unless(fits: bool, reason: Refusal) -> Vec<Refusal> {
    if fits { Vec::new() } else { vec![reason] }
}
