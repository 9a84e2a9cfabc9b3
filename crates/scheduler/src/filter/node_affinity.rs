//! A pod goes only where its `nodeSelector` and required node affinity allow.

use super::refuse_unless;
use crate::{NodeInfo, PodInfo};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<String> {
    let fits = pod.affinity.matches(&node.name, &node.labels);
    refuse_unless(fits, "node(s) didn't match Pod's node affinity/selector")
}
