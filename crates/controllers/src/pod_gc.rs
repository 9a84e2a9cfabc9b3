//! Pod garbage: pods whose node is gone for good are removed without waiting for an agent
//! that will never answer. A node is gone when it was deleted, or when somebody has said
//! so with the taint `node.kubernetes.io/out-of-service` while it is not ready.

use std::collections::BTreeSet;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::taint::taints;

use crate::controller::{Controller, ObjectKey};
use crate::liveness;
use crate::plan::Plan;
use crate::resources::{NODES, PODS};
use crate::view::View;

const COMPONENT: &str = "pod-garbage-collector";
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
            PODS => object.text(&["spec", "nodeName"]),
            _ => "",
        };
        let concerns = !node.is_empty() && fate(view, node) != Fate::Lives;
        if concerns { vec![ObjectKey::new(NODES, "", node)] } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
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
        gone.map(|node| ObjectKey::new(NODES, "", node)).collect()
    }
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
