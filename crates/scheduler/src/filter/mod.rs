//! Which nodes can take a pod. Each filter is one file and answers with what it has
//! against a node; the first filter that refuses a node speaks for it.

mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod ports;
mod resources;
mod taints;
mod topology_spread;
mod unschedulable;

use crate::{Namespaces, NodeInfo, PodInfo, Refusal};

use inter_pod_affinity::Neighbours;
use topology_spread::Spread;

type Filter = fn(&PodInfo, &NodeInfo) -> Vec<Refusal>;

/// In Kubernetes' order of plugins; those that look at all nodes at once come after these.
const FILTERS: [Filter; 6] = [
    unschedulable::refuse,
    node_name::refuse,
    taints::refuse,
    node_affinity::refuse,
    ports::refuse,
    resources::refuse,
];

/// Why each node cannot take a pod; empty for one that can.
#[must_use]
pub fn refusals(pod: &PodInfo, nodes: &[NodeInfo], namespaces: &Namespaces) -> Vec<Vec<Refusal>> {
    let named = pod.affinity.names();
    let spread = Spread::of(pod, nodes);
    let neighbours = Neighbours::of(pod, nodes, namespaces);
    let of = |node: &NodeInfo| {
        // As in Kubernetes, no filter is asked about nodes that cannot be meant.
        if named.as_ref().is_some_and(|names| !names.contains(node.name.as_str())) {
            return vec![Refusal::NotNamed];
        }
        let mut own = FILTERS.iter().map(|filter| filter(pod, node));
        own.find(|reasons| !reasons.is_empty()).unwrap_or_else(|| {
            let wider = spread.refuse(node).or_else(|| neighbours.refuse(node));
            wider.into_iter().collect()
        })
    };
    nodes.iter().map(of).collect()
}

/// Whether a pod tolerates the taints of a node that keep others away.
pub(crate) fn is_tolerated(pod: &PodInfo, node: &NodeInfo) -> bool {
    taints::refuse(pod, node).is_empty()
}

/// A filter with one reason.
fn refuse_unless(fits: bool, reason: Refusal) -> Vec<Refusal> {
    if fits { Vec::new() } else { vec![reason] }
}
