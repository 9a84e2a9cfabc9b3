//! Node lifecycle: says of a node that is not heard of that it is not ready, keeps the
//! taints that follow from its conditions, and marks its pods as not ready.
//!
//! What then happens to the pods is the business of [`crate::taint_eviction`].

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::taint::{Taint, taints};

use crate::conditions::{self, Condition, rfc3339};
use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::NODES;
use crate::view::View;
use crate::{liveness, pods};

pub(crate) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
pub(crate) const NOT_READY: &str = "node.kubernetes.io/not-ready";

const COMPONENT: &str = "node-controller";
/// The reason of a Ready condition that this controller wrote.
const SILENT: &str = "NodeStatusUnknown";

/// Conditions other than Ready, and the taint that each brings while it is True.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];

/// See the module.
pub(crate) struct NodeLifecycle;

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node-lifecycle"
    }

    fn keys(&self, _view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        if resource == NODES { vec![ObjectKey::of(NODES, object)] } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(node) = view.get(NODES, "", &key.name) {
            sync(view, &node, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(NODES, None).iter().map(|node| ObjectKey::of(NODES, node)).collect()
    }
}

/// One write to the node per reconcile (each needs the resourceVersion that the one
/// before leaves): its status first, its taints when that stands.
fn sync(view: &dyn View, node: &Object, now: Timestamp, plan: &mut Plan) {
    let silence = liveness::silence(view, node, now);
    let timeout = view.settings().node_timeout;
    if silence < timeout {
        plan.requeue(timeout.saturating_sub(silence).max(Duration::from_millis(100)));
    }
    let mut judged = node.clone();
    judge(view, &mut judged, silence >= timeout, now);
    if judged != *node {
        let ready = liveness::is_ready(&judged);
        plan.update_status(node, judged);
        let (reason, word) = if ready { ("NodeReady", "Ready") } else { ("NodeNotReady", "NotReady") };
        let message = format!("Node {} status is now: Node{word}", node.name());
        plan.record(COMPONENT, node, reason, message);
    } else {
        retaint(node, now, plan);
    }
    if conditions::status(node, "Ready") == Some("Unknown") && silence >= timeout {
        mark_pods(view, node, now, plan);
    }
}

/// A silent node's Ready becomes Unknown. A node that is heard of again after that is
/// taken at its last word; its agent says more when it has more to say.
fn judge(view: &dyn View, node: &mut Object, silent: bool, now: Timestamp) {
    let unknown = conditions::status(node, "Ready") == Some("Unknown");
    if silent && !unknown {
        let message = "Kubelet stopped posting node status.".to_owned();
        let condition = Condition { kind: "Ready", status: "Unknown", reason: SILENT, message };
        conditions::set(node, &condition, now);
    }
    let marked = unknown && conditions::text(node, "Ready", "reason") == SILENT;
    if !silent && marked && view.last_seen(node.name()).is_some() {
        let message = "the node's agent is heard of again".to_owned();
        let condition = Condition { kind: "Ready", status: "True", reason: "KubeletReady", message };
        conditions::set(node, &condition, now);
    }
}

/// Keeps the taints that follow from conditions and cordon; leaves all others alone.
fn retaint(node: &Object, now: Timestamp, plan: &mut Plan) {
    let wanted = wanted_taints(node);
    let ours = |taint: &Taint| {
        let keys = PRESSURES.iter().map(|(_, key)| *key);
        keys.chain([UNREACHABLE, NOT_READY, UNSCHEDULABLE]).any(|key| key == taint.key)
    };
    let same = |a: &Taint, b: &Taint| a.key == b.key && a.effect == b.effect;
    let mut list = node.get(&["spec", "taints"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut stored = taints(node).into_iter();
    list.retain(|_| {
        stored.next().is_none_or(|taint| !ours(&taint) || wanted.iter().any(|other| same(other, &taint)))
    });
    let stored = taints(node);
    for taint in wanted.iter().filter(|taint| !stored.iter().any(|other| same(other, taint))) {
        list.push(json!({"key": taint.key, "effect": taint.effect, "timeAdded": rfc3339(now)}));
    }
    let mut new = node.clone();
    if list.is_empty() {
        new.remove(&["spec", "taints"]);
    } else {
        new.set(&["spec", "taints"], list);
    }
    plan.update(node, new);
}

const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A node that has not said anything yet takes no pods; one that is not ready or not
/// heard of also loses, in time, those that it has.
fn wanted_taints(node: &Object) -> Vec<Taint> {
    let mut wanted = match conditions::status(node, "Ready") {
        Some("True") => Vec::new(),
        Some("False") => vec![Taint::new(NOT_READY, "NoSchedule"), Taint::new(NOT_READY, "NoExecute")],
        Some(_) => vec![Taint::new(UNREACHABLE, "NoSchedule"), Taint::new(UNREACHABLE, "NoExecute")],
        None => vec![Taint::new(NOT_READY, "NoSchedule")],
    };
    for (condition, key) in PRESSURES {
        if conditions::status(node, condition) == Some("True") {
            wanted.push(Taint::new(key, "NoSchedule"));
        }
    }
    if node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        wanted.push(Taint::new(UNSCHEDULABLE, "NoSchedule"));
    }
    wanted
}

/// Endpoints must not point at a node that nobody can reach.
fn mark_pods(view: &dyn View, node: &Object, now: Timestamp, plan: &mut Plan) {
    for pod in view.pods_on(node.name()).iter().filter(|pod| pods::is_ready(pod)) {
        let mut marked = pod.clone();
        let message = "the pod's node is not heard of".to_owned();
        let condition = Condition { kind: "Ready", status: "False", reason: "NodeNotReady", message };
        conditions::set(&mut marked, &condition, now);
        plan.update_status(pod, marked);
        plan.warn(COMPONENT, pod, "NodeNotReady", "Node is not ready".to_owned());
    }
}

#[cfg(test)]
mod tests;
