//! A cordoned node takes only pods that tolerate it.

use xebec_api::taint::Taint;

use super::refuse_unless;
use crate::{NodeInfo, PodInfo, Refusal};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let cordon = Taint::new("node.kubernetes.io/unschedulable", "NoSchedule");
    let tolerated = || pod.tolerations.iter().any(|toleration| toleration.tolerates(&cordon));
    refuse_unless(!node.unschedulable || tolerated(), Refusal::Unschedulable)
}
