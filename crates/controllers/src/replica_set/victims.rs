//! Which pods go when there are too many: the order of Kubernetes' `ActivePodsWithRanks`.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::pods;
use crate::view::View;

/// Takes the `surplus` least valuable pods out of `active`.
pub(super) fn choose(view: &dyn View, set: &Object, active: &mut Vec<Object>, surplus: usize) -> Vec<Object> {
    let crowds = crowds(view, set, active);
    active.sort_by(|a, b| order(a, b, &crowds));
    active.drain(..surplus).collect()
}

/// How many active pods of the same application each node has: those of this set, and of
/// the other sets of its owner.
fn crowds(view: &dyn View, set: &Object, active: &[Object]) -> BTreeMap<String, usize> {
    let siblings = set.controller_uid().map(|owner| view.owned_by(owner)).unwrap_or_default();
    let siblings = siblings.iter().filter(|sibling| sibling.uid() != set.uid());
    let others: Vec<Object> = siblings.flat_map(|sibling| view.owned_by(sibling.uid())).collect();
    let others = others.iter().filter(|object| object.kind() == "Pod" && pods::is_active(object));
    let mut crowds = BTreeMap::new();
    for pod in active.iter().chain(others) {
        *crowds.entry(pod.text(&["spec", "nodeName"]).to_owned()).or_default() += 1;
    }
    crowds
}

/// The pod that goes first is the lesser.
fn order(a: &Object, b: &Object, crowds: &BTreeMap<String, usize>) -> Ordering {
    let key = |pod: &Object| {
        let node = pod.text(&["spec", "nodeName"]);
        let crowd = crowds.get(node).copied().unwrap_or_default();
        (!node.is_empty(), phase(pod), pods::is_ready(pod), deletion_cost(pod), Reverse(crowd))
    };
    let created = |pod: &Object| time(pod.text(&["metadata", "creationTimestamp"]));
    let ready = |pod: &Object| Reverse(pods::ready_since(pod));
    key(a)
        .cmp(&key(b))
        .then_with(|| ready(a).cmp(&ready(b)))
        .then_with(|| pods::restarts(b).cmp(&pods::restarts(a)))
        .then_with(|| created(b).cmp(&created(a)))
        .then_with(|| a.name().cmp(b.name()))
}

fn phase(pod: &Object) -> u8 {
    match pod.text(&["status", "phase"]) {
        "" | "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn deletion_cost(pod: &Object) -> i32 {
    pod.annotation("controller.kubernetes.io/pod-deletion-cost")
        .and_then(|cost| cost.parse().ok())
        .unwrap_or_default()
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
