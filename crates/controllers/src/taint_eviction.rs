//! Taint eviction: pods leave a node that has a `NoExecute` taint which they do not
//! tolerate (for any longer).
//!
//! A node that cannot be reached is given up after the cluster's eviction timeout, for
//! pods whose owner makes another one elsewhere without minding that both run for a
//! while. A StatefulSet's pod and a pod without an owner stay until somebody says that
//! the node is gone for good. Many dead nodes are given up one by one, or not at all
//! ([`Disruption`]).

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::taint::{Taint, Toleration, taints, tolerations};

use crate::conditions::{self, rfc3339};
use crate::controller::{Controller, ObjectKey};
use crate::liveness::{Disruption, silence};
use crate::node_lifecycle::{NOT_READY, UNREACHABLE};
use crate::owner::controller_of;
use crate::plan::Plan;
use crate::pods;
use crate::resources::{NODES, PODS};
use crate::view::View;

const COMPONENT: &str = "taint-eviction-controller";

/// How long pods stay on a node that says itself that it is not ready, as in Kubernetes.
const NOT_READY_TOLERANCE: Duration = Duration::from_secs(300);

/// See the module.
pub(crate) struct TaintEviction;

impl Controller for TaintEviction {
    fn name(&self) -> &'static str {
        "taint-eviction"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let node = match resource {
            NODES => object.name(),
            PODS => object.text(&["spec", "nodeName"]),
            _ => return Vec::new(),
        };
        let node = view.get(NODES, "", node).filter(|node| !evicting_taints(node).is_empty());
        node.map(|node| ObjectKey::of(NODES, &node)).into_iter().collect()
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(node) = view.get(NODES, "", &key.name) {
            sync(view, &node, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let mut nodes = view.list(NODES, None);
        nodes.retain(|node| !evicting_taints(node).is_empty());
        nodes.iter().map(|node| ObjectKey::of(NODES, node)).collect()
    }
}

fn evicting_taints(node: &Object) -> Vec<Taint> {
    taints(node).into_iter().filter(|taint| taint.effect == "NoExecute").collect()
}

fn sync(view: &dyn View, node: &Object, now: Timestamp, plan: &mut Plan) {
    let taints = evicting_taints(node);
    if taints.is_empty() {
        return;
    }
    let given_up = give_up_at(view, node, now);
    let mut staying = view.pods_on(node.name());
    staying.retain(pods::is_active);
    if staying.iter().any(|pod| counts_from_unknown(pod, &taints)) {
        plan.update(node, timed(node.clone(), now));
    }
    for pod in &staying {
        match deadline(pod, &taints, given_up, now) {
            Deadline::Never => {}
            Deadline::Unknown => plan.requeue(Duration::from_secs(1)),
            Deadline::At(time) if time > now => {
                plan.requeue(Duration::try_from(time.duration_since(now)).unwrap_or_default());
            }
            Deadline::At(_) => {
                plan.delete(PODS, pod);
                let message = format!("Marking for deletion Pod {}/{}", pod.namespace(), pod.name());
                plan.record(COMPONENT, pod, "TaintManagerEviction", message);
            }
        }
    }
}

/// Whether a pod's time runs from when a taint came that does not say when that was.
fn counts_from_unknown(pod: &Object, taints: &[Taint]) -> bool {
    let timeless = |toleration: &Toleration| {
        taints.iter().any(|taint| taint.time_added.is_none() && toleration.tolerates(taint))
    };
    tolerations(pod).iter().any(|toleration| toleration.seconds.is_some() && timeless(toleration))
}

/// The node with the time now on its taints that have none: as who adds one by hand does not
/// write it, pods that tolerate it for a while would have that while anew at every look.
fn timed(mut node: Object, now: Timestamp) -> Object {
    let mut list = node.get(&["spec", "taints"]).and_then(Value::as_array).cloned().unwrap_or_default();
    for taint in &mut list {
        let is_timed = taint.get("timeAdded").is_some_and(Value::is_string);
        if taint.get("effect").and_then(Value::as_str) == Some("NoExecute") && !is_timed {
            taint["timeAdded"] = rfc3339(now).into();
        }
    }
    node.set(&["spec", "taints"], list);
    node
}

/// When a pod leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    Never,
    /// Not as long as things are as they are; look again.
    Unknown,
    At(Timestamp),
}

impl Deadline {
    /// The earlier one.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(a), Self::At(b)) => Self::At(a.min(b)),
            (Self::At(a), _) | (_, Self::At(a)) => Self::At(a),
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            _ => Self::Never,
        }
    }
}

fn deadline(pod: &Object, taints: &[Taint], given_up: Option<Timestamp>, now: Timestamp) -> Deadline {
    let tolerations = tolerations(pod);
    let of = |taint: &Taint| {
        let answers: Vec<&Toleration> =
            tolerations.iter().filter(|toleration| toleration.tolerates(taint)).collect();
        let added = taint.time_added.as_deref().and_then(|text| text.parse().ok()).unwrap_or(now);
        // One that came later has its whole time, or its successors would go as soon as they came.
        let start = bound_at(pod).map_or(added, |bound| bound.max(added));
        if answers.is_empty() {
            return untolerated(pod, taint, start, given_up, now);
        }
        match answers.iter().filter_map(|toleration| toleration.seconds).min() {
            Some(seconds) => after(start, Duration::from_secs(u64::try_from(seconds).unwrap_or_default())),
            None => Deadline::Never,
        }
    };
    taints.iter().map(of).fold(Deadline::Never, Deadline::or)
}

fn untolerated(
    pod: &Object,
    taint: &Taint,
    start: Timestamp,
    given_up: Option<Timestamp>,
    now: Timestamp,
) -> Deadline {
    match taint.key.as_str() {
        UNREACHABLE | NOT_READY if !may_overlap(pod) => Deadline::Never,
        UNREACHABLE => given_up.map_or(Deadline::Unknown, Deadline::At),
        NOT_READY => after(start, NOT_READY_TOLERANCE),
        _ => Deadline::At(now),
    }
}

/// Since when a pod is on its node.
fn bound_at(pod: &Object) -> Option<Timestamp> {
    let scheduled = match conditions::status(pod, "PodScheduled") {
        Some("True") => conditions::text(pod, "PodScheduled", "lastTransitionTime"),
        _ => pod.text(&["metadata", "creationTimestamp"]),
    };
    scheduled.parse().ok()
}

fn after(start: Timestamp, delay: Duration) -> Deadline {
    start.checked_add(delay).map_or(Deadline::Never, Deadline::At)
}

/// Whether another pod may take this one's place while it may still be running.
fn may_overlap(pod: &Object) -> bool {
    let kind = controller_of(pod).and_then(|owner| owner.get("kind")?.as_str());
    matches!(kind, Some("ReplicaSet" | "ReplicationController" | "Job"))
}

/// When a node that cannot be reached is given up: after the eviction timeout (which a new
/// leader also waits out, listening), and one pace after the node before it. `None` while
/// nothing is given up.
fn give_up_at(view: &dyn View, node: &Object, now: Timestamp) -> Option<Timestamp> {
    let settings = view.settings();
    let nodes = view.list(NODES, None);
    let pace = Disruption::of(&nodes).pace(nodes.len())?;
    let listen = settings.eviction_timeout.saturating_sub(silence(view, node, now));
    let earliest = now.checked_add(listen).ok()?;
    let wait = settings.eviction_timeout.saturating_sub(settings.node_timeout);
    let mut lost: Vec<(Timestamp, &str)> =
        nodes.iter().filter_map(|node| Some((lost_since(node)?, node.name()))).collect();
    lost.sort_unstable();
    let mut slot: Option<Timestamp> = None;
    for (since, name) in lost {
        let own = since.checked_add(wait).ok()?;
        let turn = slot.and_then(|slot| slot.checked_add(pace).ok()).map_or(own, |turn| turn.max(own));
        if name == node.name() {
            return Some(turn.max(earliest));
        }
        slot = Some(turn);
    }
    None
}

fn lost_since(node: &Object) -> Option<Timestamp> {
    let taint = evicting_taints(node).into_iter().find(|taint| taint.key == UNREACHABLE)?;
    taint.time_added?.parse().ok()
}

#[cfg(test)]
mod tests;
