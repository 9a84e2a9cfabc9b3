//! Pods of a Deployment that are to be on different nodes, so that one lives when a node dies.
//!
//! The scheduler spreads them where it can. But the first node of a cluster gets all of them,
//! and would take all of them with it: once there is another node one has to go, and the
//! scheduler puts its successor there. A successor that it puts beside the others again
//! stays, since the other node was there for it to choose and had no room.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::manifests::SYSTEM;
use crate::plan::Plan;
use crate::resources::{NODES, PODS};
use crate::view::View;
use crate::{conditions, liveness, pods};

/// The label that tells whose a pod is.
const APP: &str = "k8s-app";
/// A pod that has been ready for so long stays where it is, unless it is moved.
const SETTLED: Duration = Duration::from_secs(30);

/// For the template: the scheduler prefers nodes without a pod of the same app.
pub(super) fn constraints(app: &str) -> Value {
    json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {APP: app}}}])
}

/// Deletes a pod of the app when all of its `replicas` have settled on one node and another
/// one could take it.
pub(super) fn part(view: &dyn View, now: Timestamp, app: &str, replicas: u32, plan: &mut Plan) {
    if let Some(pod) = misplaced(view, now, app, replicas) {
        plan.delete(PODS, &pod);
    }
}

fn misplaced(view: &dyn View, now: Timestamp, app: &str, replicas: u32) -> Option<Object> {
    let ours = |pod: &Object| pod.text(&["metadata", "labels", APP]) == app && pods::is_active(pod);
    let all: Vec<Object> = view.list(PODS, Some(SYSTEM)).into_iter().filter(ours).collect();
    let settled = |pod: &Object| pods::until_available(pod, SETTLED, now) == Some(Duration::ZERO);
    let place = |pod: &Object| pod.text(&["spec", "nodeName"]).to_owned();
    let node = place(all.first()?);
    let complete = usize::try_from(replicas).ok() == Some(all.len()) && all.iter().all(settled);
    if !complete || all.iter().any(|pod| place(pod) != node) {
        return None;
    }
    let made = |pod: &Object| pod.text(&["metadata", "creationTimestamp"]).parse::<Timestamp>().ok();
    let pod = all.into_iter().max_by_key(made)?;
    let made = made(&pod)?;
    let came_later = |other: &Object| {
        let since = conditions::text(other, "Ready", "lastTransitionTime").parse::<Timestamp>();
        since.is_ok_and(|since| since > made)
    };
    let free = |other: &Object| {
        let taints = other.get(&["spec", "taints"]).and_then(Value::as_array);
        other.name() != node && liveness::is_ready(other) && taints.is_none_or(Vec::is_empty)
    };
    view.list(NODES, None).iter().any(|other| free(other) && came_later(other)).then_some(pod)
}
