//! Pod garbage: pods whose node is gone for good are removed without waiting for an agent
//! that will never answer. A node is gone when it was deleted, or when somebody has said
//! so with the taint `node.kubernetes.io/out-of-service` while it is not ready.
//!
//! Pods that have ended stay, for their logs and for who counts them, but not without end: of
//! very many the oldest go.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::taint::taints;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{NODES, PODS};
use crate::view::View;
use crate::{liveness, pods};

const COMPONENT: &str = "pod-garbage-collector";
/// So many pods that have ended are kept, as in Kubernetes.
const MOST_ENDED: usize = 12_500;
/// So many more may come before it is tidied up, so that not every end costs a look at all.
const SLACK: usize = 500;
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// See the module.
pub(crate) struct PodGc;

impl Controller for PodGc {
    fn name(&self) -> &'static str {
        "pod-gc"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let node = match resource {
            NODES => object.name(),
            PODS if pods::has_ended(object) && is_full(view) => return vec![ended_key()],
            PODS => object.text(&["spec", "nodeName"]),
            _ => "",
        };
        let concerns = !node.is_empty() && fate(view, node) != Fate::Lives;
        if concerns { vec![ObjectKey::new(NODES, "", node)] } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if *key == ended_key() {
            tidy_up(view, &mut plan);
            return plan;
        }
        let fate = fate(view, &key.name);
        for pod in view.pods_on(&key.name) {
            if fate == Fate::Gone || (fate == Fate::OutOfService && pod.is_terminating()) {
                plan.delete_within(PODS, &pod, Some(0));
                let message = format!("PodGC: node {} is gone", key.name);
                plan.record(COMPONENT, &pod, "DeletingPod", message);
            }
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let pods = view.list(PODS, None);
        let nodes: BTreeSet<&str> = pods.iter().map(|pod| pod.text(&["spec", "nodeName"])).collect();
        let gone = nodes.into_iter().filter(|node| !node.is_empty() && fate(view, node) != Fate::Lives);
        let gone = gone.map(|node| ObjectKey::new(NODES, "", node));
        gone.chain(is_full(view).then(ended_key)).collect()
    }
}

/// Stands for all pods that have ended.
fn ended_key() -> ObjectKey {
    ObjectKey::new(PODS, "", "*")
}

fn is_full(view: &dyn View) -> bool {
    view.count_ended_pods() > MOST_ENDED + SLACK
}

/// Deletes the oldest.
fn tidy_up(view: &dyn View, plan: &mut Plan) {
    if !is_full(view) {
        return;
    }
    let mut ended = view.ended_pods();
    ended.sort_by_cached_key(|pod| Reverse(pod.text(&["metadata", "creationTimestamp"]).to_owned()));
    ended.iter().skip(MOST_ENDED).for_each(|pod| plan.delete(PODS, pod));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    OutOfService,
    Gone,
}

fn fate(view: &dyn View, node: &str) -> Fate {
    let Some(node) = view.get(NODES, "", node) else { return Fate::Gone };
    let tainted = taints(&node).iter().any(|taint| taint.key == OUT_OF_SERVICE);
    if tainted && !liveness::is_ready(&node) { Fate::OutOfService } else { Fate::Lives }
}

#[cfg(test)]
mod tests;
