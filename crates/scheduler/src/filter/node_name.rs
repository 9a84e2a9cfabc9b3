//! A pod that names its node goes nowhere else.

use super::refuse_unless;
use crate::{NodeInfo, PodInfo, Refusal};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let fits = pod.node_name.is_empty() || pod.node_name == node.name;
    refuse_unless(fits, Refusal::OtherNode)
}
