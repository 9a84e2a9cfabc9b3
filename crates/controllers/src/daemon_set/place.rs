//! Which node a daemon pod is for, and whether it may be there.

use serde_json::{Value, json};
use xebec_api::node_affinity::NodeAffinity;
use xebec_api::object::Object;
use xebec_api::taint::{taints, tolerations};

use super::{Rollout, update};
use crate::pods;

/// What a set wants on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// A pod.
    Wanted,
    /// No new pod, but one that is there may stay.
    Tolerated,
    /// No pod.
    Never,
}

/// The taints that every daemon pod tolerates, as in Kubernetes.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// What a set wants on a node: its template's affinity and tolerations decide, and a
/// node that is merely not ready is no reason to stay away.
pub(super) fn placement(set: &Object, node: &Object) -> Placement {
    let mut pod = pods::template_object(set);
    tolerate(&mut pod);
    let named = pod.text(&["spec", "nodeName"]);
    if !(named.is_empty() || named == node.name()) || !NodeAffinity::of(&pod).matches_node(node) {
        return Placement::Never;
    }
    let tolerations = tolerations(&pod);
    let mut placement = Placement::Wanted;
    for taint in taints(node) {
        if tolerations.iter().any(|toleration| toleration.tolerates(&taint)) {
            continue;
        }
        match taint.effect.as_str() {
            "NoExecute" => return Placement::Never,
            "NoSchedule" if !is_about_readiness(&taint.key) => placement = Placement::Tolerated,
            _ => {}
        }
    }
    placement
}

fn is_about_readiness(key: &str) -> bool {
    matches!(key, "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable")
}

fn tolerate(pod: &mut Object) {
    let mut list = pod.get(&["spec", "tolerations"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let host_network = pod.get(&["spec", "hostNetwork"]) == Some(&Value::Bool(true));
    let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
    for (key, effect) in TOLERATED.into_iter().chain(host_network.then_some(network)) {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if !list.contains(&toleration) {
            list.push(toleration);
        }
    }
    pod.set(&["spec", "tolerations"], list);
}

/// The node that a daemon pod is on, or is meant for.
pub(super) fn node_of(pod: &Object) -> Option<String> {
    let bound = pod.text(&["spec", "nodeName"]);
    if !bound.is_empty() {
        return Some(bound.to_owned());
    }
    let terms = pod.get(&[
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    ])?;
    let fields = terms.as_array()?.iter().filter_map(|term| term.get("matchFields")?.as_array()).flatten();
    let named = |field: &&Value| field.get("key").and_then(Value::as_str) == Some("metadata.name");
    let field = fields.into_iter().find(named)?;
    Some(field.pointer("/values/0")?.as_str()?.to_owned())
}

/// The set's pod for a node. Affinity of the template's own is replaced: that it holds
/// on this node was checked.
pub(super) fn make(rollout: &Rollout<'_>, node: &str, salt: usize) -> Object {
    let set = rollout.set;
    let mut pod = pods::from_template(set, rollout.now, salt);
    tolerate(&mut pod);
    pod.set(&["metadata", "labels", update::HASH], rollout.hash.as_str());
    pod.set(&["metadata", "labels", "pod-template-generation"], set.generation().to_string());
    let field = json!({"key": "metadata.name", "operator": "In", "values": [node]});
    let required = json!({"nodeSelectorTerms": [{"matchFields": [field]}]});
    pod.set(
        &["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"],
        required,
    );
    pod
}
