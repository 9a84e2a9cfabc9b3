//! Deployment: brings one pod template to all replicas, by way of a ReplicaSet per
//! template, and keeps the older ones to go back to.
//!
//! One reconcile takes every step that the state allows (make or find the ReplicaSet of
//! the current template, scale it up, scale the others down) on the sets in memory, and
//! then writes what changed. The bounds hold at every moment: never more than `replicas +
//! maxSurge` asked for, never fewer than `replicas - maxUnavailable` left available.

mod history;
mod recreate;
mod rolling;
mod scaling;
mod sets;
mod status;
mod template;

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::well_known;

use crate::controller::{Controller, ObjectKey};
use crate::counts;
use crate::owner::{candidates, claim, controller_named};
use crate::plan::Plan;
use crate::replica_set::keys_of_pod;
use crate::resources::{DEPLOYMENTS, PODS, REPLICA_SETS};
use crate::view::View;

use sets::Sets;

const COMPONENT: &str = "deployment-controller";

/// See the module.
pub(crate) struct Deployment;

impl Controller for Deployment {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            DEPLOYMENTS => vec![ObjectKey::of(DEPLOYMENTS, object)],
            REPLICA_SETS => keys_of_pod(view, object, "Deployment", DEPLOYMENTS),
            PODS => recreating_owner(view, object).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(deployment) = view.get(DEPLOYMENTS, &key.namespace, &key.name) {
            sync(view, &deployment, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let all = view.list(DEPLOYMENTS, None);
        all.iter().map(|deployment| ObjectKey::of(DEPLOYMENTS, deployment)).collect()
    }
}

/// A Deployment that recreates waits for its old pods to be gone; any other hears of its
/// pods through the status of its ReplicaSets.
fn recreating_owner(view: &dyn View, pod: &Object) -> Option<ObjectKey> {
    let set = view.get(REPLICA_SETS, pod.namespace(), controller_named(pod, "ReplicaSet")?)?;
    let deployment = view.get(DEPLOYMENTS, pod.namespace(), controller_named(&set, "Deployment")?)?;
    recreates(&deployment).then(|| ObjectKey::of(DEPLOYMENTS, &deployment))
}

fn recreates(deployment: &Object) -> bool {
    deployment.text(&["spec", "strategy", "type"]) == "Recreate"
}

fn is_paused(deployment: &Object) -> bool {
    deployment.get(&["spec", "paused"]) == Some(&true.into())
}

/// What a Deployment asks for, in numbers.
struct Bounds {
    replicas: i64,
    max_surge: i64,
    max_unavailable: i64,
}

impl Bounds {
    /// A percentage of surge is rounded up, of unavailability down; when both come to
    /// nothing, one may be unavailable, since otherwise nothing could ever move.
    fn of(deployment: &Object) -> Self {
        let replicas = counts::replicas(deployment);
        let limit = |field, up| {
            let value = deployment.get(&["spec", "strategy", "rollingUpdate", field]);
            counts::scaled(value, "25%", replicas, up)
        };
        if recreates(deployment) {
            return Self { replicas, max_surge: 0, max_unavailable: 0 };
        }
        let max_surge = limit("maxSurge", true);
        let mut max_unavailable = limit("maxUnavailable", false).min(replicas);
        if max_surge == 0 && max_unavailable == 0 {
            max_unavailable = 1;
        }
        Self { replicas, max_surge, max_unavailable }
    }

    /// Asked for at most, in all sets together.
    fn most(&self) -> i64 {
        self.replicas + self.max_surge
    }

    /// Left available at least.
    fn least_available(&self) -> i64 {
        self.replicas - self.max_unavailable
    }
}

fn sync(view: &dyn View, deployment: &Object, now: Timestamp, plan: &mut Plan) {
    let owned = claim(deployment, candidates(view, REPLICA_SETS, deployment), plan);
    let mut new = deployment.clone();
    let mut sets = Sets::new(deployment, owned);
    if deployment.is_terminating() {
        status::report(&mut new, &sets, now);
        plan.update_status(deployment, new);
        return;
    }
    status::note_pause(&mut new, now);
    if !is_paused(deployment) && !sets.find_or_make(view, &mut new, now) {
        plan.update_status(deployment, new);
        return;
    }
    let bounds = Bounds::of(deployment);
    if scaling::is_due(deployment, &sets) || is_paused(deployment) {
        scaling::scale(&bounds, &mut sets);
    }
    if is_paused(deployment) {
        // Scaled above, and nothing else moves.
    } else if recreates(deployment) {
        recreate::step(view, &bounds, &mut sets);
    } else {
        rolling::step(&bounds, &mut sets);
    }
    status::report(&mut new, &sets, now);
    sets.write(deployment, &bounds, plan);
    history::clean_up(deployment, &new, &sets, plan);
    write(deployment, &sets, new, now, plan);
}

/// Writes the status, or else the revision annotation (each write needs the
/// resourceVersion that the other one leaves), and asks to come back at the deadline.
fn write(deployment: &Object, sets: &Sets, new: Object, now: Timestamp, plan: &mut Plan) {
    if let Some(left) = status::until_deadline(&new, now) {
        plan.requeue(left.max(Duration::from_secs(1)));
    }
    if new.get(&["status"]) != deployment.get(&["status"]) {
        plan.update_status(deployment, new);
        return;
    }
    if let Some(revision) = sets.revision() {
        let mut annotated = deployment.clone();
        annotated.set(&["metadata", "annotations", well_known::REVISION], revision);
        plan.update(deployment, annotated);
    }
}

#[cfg(test)]
mod tests;
