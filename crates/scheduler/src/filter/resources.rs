//! A node takes no more than it has: pods, cores, memory and anything else that is counted.

use xebec_api::pod::Resources;

use crate::{NodeInfo, PodInfo, Refusal};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let (asked, has, taken) = (&pod.requests, &node.allocatable, &node.requested);
    let amount = |of: &Resources, name: &str| of.other.get(name).copied().unwrap_or_default();
    let mut reasons = Vec::new();
    let allowed = amount(has, "pods");
    if node.pods + 1 > allowed {
        reasons.push(Refusal::TooManyPods { allowed });
    }
    let mut weigh = |name: &str, asked: i128, has: i128, taken: i128| {
        if asked > 0 && asked > has - taken {
            let (resource, free) = (name.to_owned(), has - taken);
            reasons.push(Refusal::Insufficient { resource, asked, free, allocatable: has });
        }
    };
    weigh("cpu", asked.cpu_millis, has.cpu_millis, taken.cpu_millis);
    weigh("memory", asked.memory_bytes, has.memory_bytes, taken.memory_bytes);
    for (name, asked) in &asked.other {
        weigh(name, *asked, amount(has, name), amount(taken, name));
    }
    reasons
}
