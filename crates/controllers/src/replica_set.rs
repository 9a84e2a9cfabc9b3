//! ReplicaSet: keeps as many pods of one template as it is asked for.
//!
//! Pods are found by selector and by owner reference; strays are adopted, pods whose
//! labels were changed are let go. The status in a plan is what holds once the plan is
//! done, so that one reconcile is enough.

mod victims;

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::conditions::{self, Condition};
use crate::controller::{Controller, ObjectKey};
use crate::namespace::is_leaving;
use crate::owner::{candidates, claim, controller_named, selector_of};
use crate::plan::Plan;
use crate::resources::{PODS, REPLICA_SETS};
use crate::view::View;
use crate::{counts, pods};

const COMPONENT: &str = "replicaset-controller";

/// The condition of a set whose pods are refused.
pub(crate) const FAILURE: &str = "ReplicaFailure";

/// So many pods at most are made or deleted in one plan.
const BURST: usize = 500;

/// See the module.
pub(crate) struct ReplicaSet;

impl Controller for ReplicaSet {
    fn name(&self) -> &'static str {
        "replicaset"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            REPLICA_SETS => vec![ObjectKey::of(REPLICA_SETS, object)],
            PODS => keys_of_pod(view, object, "ReplicaSet", REPLICA_SETS),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(set) = view.get(REPLICA_SETS, &key.namespace, &key.name) {
            sync(view, key, &set, COMPONENT, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(REPLICA_SETS, None).iter().map(|set| ObjectKey::of(REPLICA_SETS, set)).collect()
    }
}

/// The owner of a pod, or everything of a kind that would adopt it.
pub(crate) fn keys_of_pod(view: &dyn View, pod: &Object, kind: &str, resource: &str) -> Vec<ObjectKey> {
    if let Some(name) = controller_named(pod, kind) {
        return vec![ObjectKey::new(resource, pod.namespace(), name)];
    }
    if pod.controller_uid().is_some() {
        return Vec::new();
    }
    let owners = view.list(resource, Some(pod.namespace()));
    let adopts = |owner: &&Object| selector_of(owner).is_some_and(|selector| selector.matches(pod));
    owners.iter().filter(adopts).map(|owner| ObjectKey::of(resource, owner)).collect()
}

/// Also of a ReplicationController, which differs in its selector alone.
pub(crate) fn sync(
    view: &dyn View,
    key: &ObjectKey,
    set: &Object,
    component: &'static str,
    now: Timestamp,
    plan: &mut Plan,
) {
    let mut candidates = candidates(view, PODS, set);
    candidates.retain(pods::is_active);
    let mut active = claim(set, candidates, plan);
    let wanted = usize::try_from(counts::replicas(set)).unwrap_or_default();
    if !set.is_terminating() && active.len() < wanted && !is_leaving(view, set.namespace()) {
        let missing = (wanted - active.len()).min(BURST);
        if let Some(why) = view.refusal(key) {
            // Said first, since nothing that follows a refused create is done.
            plan.warn(component, set, "FailedCreate", format!("Error creating: {why}"));
            report(set, &active, Some(why), now, plan);
            (0..missing).for_each(|salt| plan.create(pods::from_template(set, now, salt)));
            return;
        }
        let new: Vec<Object> = (0..missing).map(|salt| pods::from_template(set, now, salt)).collect();
        // Side by side, so that they go into the log together.
        new.iter().for_each(|pod| plan.create(pod.clone()));
        for pod in &new {
            plan.record(component, set, "SuccessfulCreate", format!("Created pod: {}", pod.name()));
        }
        active.extend(new);
    } else if !set.is_terminating() && active.len() > wanted {
        let surplus = (active.len() - wanted).min(BURST);
        for pod in victims::choose(view, set, &mut active, surplus) {
            plan.delete(PODS, &pod);
            plan.record(component, set, "SuccessfulDelete", format!("Deleted pod: {}", pod.name()));
        }
    }
    report(set, &active, None, now, plan);
}

fn report(set: &Object, active: &[Object], refusal: Option<String>, now: Timestamp, plan: &mut Plan) {
    let min_ready = counts::number(set, &["spec", "minReadySeconds"]).unwrap_or_default();
    let min_ready = Duration::from_secs(u64::try_from(min_ready).unwrap_or_default());
    let waits: Vec<Duration> =
        active.iter().filter_map(|pod| pods::until_available(pod, min_ready, now)).collect();
    let available = waits.iter().filter(|wait| wait.is_zero()).count();
    if let Some(soonest) = waits.iter().filter(|wait| !wait.is_zero()).min() {
        plan.requeue(*soonest);
    }
    let labelled = active.iter().filter(|pod| has_template_labels(set, pod)).count();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut new = set.clone();
    new.set(&["status", "replicas"], active.len());
    counts::set_status(&mut new, "fullyLabeledReplicas", count(labelled));
    counts::set_status(&mut new, "readyReplicas", count(waits.len()));
    counts::set_status(&mut new, "availableReplicas", count(available));
    counts::set_status(&mut new, "observedGeneration", set.generation());
    match refusal {
        Some(message) => {
            let failure = Condition { kind: FAILURE, status: "True", reason: "FailedCreate", message };
            conditions::set(&mut new, &failure, now);
        }
        None => conditions::remove(&mut new, FAILURE),
    }
    plan.update_status(set, new);
}

fn has_template_labels(set: &Object, pod: &Object) -> bool {
    let mut labels = set.text_map(&["spec", "template", "metadata", "labels"]);
    labels.all(|(key, value)| pod.text(&["metadata", "labels", key]) == value)
}

#[cfg(test)]
mod tests;
