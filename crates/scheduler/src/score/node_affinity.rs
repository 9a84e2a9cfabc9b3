//! Prefers the nodes that a pod's preferred node affinity does.

use super::in_proportion;
use crate::{NodeInfo, PodInfo};

pub(super) fn scores(pod: &PodInfo, nodes: &[NodeInfo], candidates: &[usize]) -> Vec<i128> {
    let preference = |index: &usize| {
        let node = &nodes[*index];
        i128::from(pod.affinity.preference(&node.name, &node.labels))
    };
    in_proportion(&candidates.iter().map(preference).collect::<Vec<_>>())
}
