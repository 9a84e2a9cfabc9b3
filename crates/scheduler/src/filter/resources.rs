//! A node takes no more than it has: pods, cores, memory and anything else that is counted.

use crate::{NodeInfo, PodInfo};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<String> {
    let mut reasons = Vec::new();
    if node.pods + 1 > node.allocatable.get("pods") {
        reasons.push("Too many pods".to_owned());
    }
    let short = pod.requests.iter().filter(|(name, asked)| {
        let free = node.allocatable.get(name) - node.requested.get(name);
        *asked > 0 && *asked > free
    });
    reasons.extend(short.map(|(name, _)| format!("Insufficient {name}")));
    reasons
}
