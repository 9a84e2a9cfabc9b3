//! A tainted node takes only pods that tolerate its taints.

use xebec_api::taint::Taint;

use crate::{NodeInfo, PodInfo, Refusal};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let hard = node.taints.iter().filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    let tolerated = |taint: &Taint| pod.tolerations.iter().any(|toleration| toleration.tolerates(taint));
    let mut untolerated = hard.filter(|taint| !tolerated(taint));
    untolerated.next().map(|taint| Refusal::Untolerated(taint.clone())).into_iter().collect()
}
