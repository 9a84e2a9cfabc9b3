//! A pod goes only where its `nodeSelector` and required node affinity allow.

use super::refuse_unless;
use crate::{NodeInfo, PodInfo, Refusal};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let fits = pod.affinity.matches(&node.name, &node.labels);
    refuse_unless(fits, Refusal::Affinity)
}
