//! Prefers nodes with fewer taints of the effect `PreferNoSchedule` that a pod does not tolerate.

use xebec_api::taint::Taint;

use super::in_proportion;
use crate::{NodeInfo, PodInfo};

pub(super) fn scores(pod: &PodInfo, nodes: &[NodeInfo], candidates: &[usize]) -> Vec<i128> {
    let tolerated = |taint: &Taint| pod.tolerations.iter().any(|toleration| toleration.tolerates(taint));
    let minded = |index: &usize| {
        let soft = nodes[*index].taints.iter().filter(|taint| taint.effect == "PreferNoSchedule");
        i128::try_from(soft.filter(|taint| !tolerated(taint)).count()).unwrap_or(i128::MAX)
    };
    let minded: Vec<i128> = candidates.iter().map(minded).collect();
    in_proportion(&minded).into_iter().map(|score| 100 - score).collect()
}
