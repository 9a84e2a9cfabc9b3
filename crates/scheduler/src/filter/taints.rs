//! A tainted node takes only pods that tolerate its taints.

use super::refuse_unless;
use crate::{NodeInfo, PodInfo};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<String> {
    let mut hard =
        node.taints.iter().filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    let fits = hard.all(|taint| pod.tolerations.iter().any(|toleration| toleration.tolerates(taint)));
    refuse_unless(fits, "node(s) had untolerated taint(s)")
}
