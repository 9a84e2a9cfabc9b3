//! DaemonSet: one pod on every node that its template fits.
//!
//! A pod is tied to its node by node affinity, as in Kubernetes, so that the scheduler
//! checks room and ports and says why when there is none. Pods tolerate a node that is
//! not ready or cannot be reached: they stay. Each template that it had is kept as a
//! ControllerRevision, to go back to.

mod history;
mod place;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::controller::{Controller, ObjectKey};
use crate::namespace::is_leaving;
use crate::owner::{candidates, claim};
use crate::plan::Plan;
use crate::replica_set::keys_of_pod;
use crate::resources::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};
use crate::view::View;
use crate::{counts, pods};

use place::Placement;

const COMPONENT: &str = "daemonset-controller";

/// A pod that failed is replaced no sooner than so long after it was made.
const FAILED_PAUSE: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct DaemonSet;

impl Controller for DaemonSet {
    fn name(&self) -> &'static str {
        "daemonset"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            DAEMON_SETS => vec![ObjectKey::of(DAEMON_SETS, object)],
            PODS | CONTROLLER_REVISIONS => keys_of_pod(view, object, "DaemonSet", DAEMON_SETS),
            NODES => self.initial(view),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(set) = view.get(DAEMON_SETS, &key.namespace, &key.name) {
            sync(view, key, &set, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(DAEMON_SETS, None).iter().map(|set| ObjectKey::of(DAEMON_SETS, set)).collect()
    }
}

/// One node and the set's pods on it.
struct Site {
    placement: Placement,
    /// The oldest first; those on their way out too.
    pods: Vec<Object>,
}

impl Site {
    /// The pod that counts: the first that is not on its way out.
    fn pod(&self) -> Option<&Object> {
        self.pods.iter().find(|pod| pods::is_active(pod))
    }
}

fn sync(view: &dyn View, key: &ObjectKey, set: &Object, now: Timestamp, plan: &mut Plan) {
    let claimed = claim(set, candidates(view, PODS, set), plan);
    let mut sites: BTreeMap<String, Site> = BTreeMap::new();
    for node in view.list(NODES, None) {
        let placement = place::placement(set, &node);
        sites.insert(node.name().to_owned(), Site { placement, pods: Vec::new() });
    }
    let mut stranded = Vec::new();
    for pod in claimed {
        let Some(node) = place::node_of(&pod) else { continue };
        match sites.get_mut(&node) {
            Some(site) => site.pods.push(pod),
            None if pod.text(&["spec", "nodeName"]).is_empty() => stranded.push(pod),
            None => {}
        }
    }
    let created = |pod: &Object| pod.text(&["metadata", "creationTimestamp"]).to_owned();
    sites.values_mut().for_each(|site| site.pods.sort_by_key(created));
    let mut new = set.clone();
    if set.is_terminating() {
        let rollout = Rollout::of(set, update::hash(set), now);
        return report(&rollout, new, &sites, plan);
    }
    let in_use: BTreeSet<String> = sites.values().flat_map(|site| &site.pods).map(update::hash_of).collect();
    let Some(hash) = history::keep(view, &mut new, &in_use, plan) else {
        return plan.update_status(set, new);
    };
    // They wait for a node that was deleted; those that it had are gone with it.
    stranded.iter().filter(|pod| !pod.is_terminating()).for_each(|pod| remove(set, pod, plan));
    let rollout = Rollout::of(set, hash, now);
    for (node, site) in &mut sites {
        settle(&rollout, node, site, plan);
    }
    let is_empty = |site: &Site| site.placement == Placement::Wanted && site.pods.is_empty();
    let empty = sites.iter().filter(|(_, site)| is_empty(site)).map(|(node, _)| node.clone());
    let mut nodes: Vec<String> = empty.collect();
    nodes.extend(update::roll(&rollout, &mut sites, plan));
    if is_leaving(view, set.namespace()) {
        nodes.clear();
    }
    if let Some(why) = view.refusal(key).filter(|_| !nodes.is_empty()) {
        // Said first, since nothing that follows a refused create is done.
        plan.warn(COMPONENT, set, "FailedCreate", format!("Error creating: {why}"));
        report(&rollout, new, &sites, plan);
        return make(&rollout, &nodes, &mut sites, plan);
    }
    make(&rollout, &nodes, &mut sites, plan);
    report(&rollout, new, &sites, plan);
}

/// What the steps of one reconcile go by.
struct Rollout<'a> {
    set: &'a Object,
    /// Of the current template.
    hash: String,
    min_ready: Duration,
    now: Timestamp,
}

impl<'a> Rollout<'a> {
    fn of(set: &'a Object, hash: String, now: Timestamp) -> Self {
        let seconds = counts::number(set, &["spec", "minReadySeconds"]).unwrap_or_default();
        Self { set, hash, min_ready: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()), now }
    }

    fn is_current(&self, pod: &Object) -> bool {
        update::hash_of(pod) == self.hash
    }

    fn is_available(&self, pod: &Object) -> bool {
        pods::until_available(pod, self.min_ready, self.now).is_some_and(|wait| wait.is_zero())
    }
}

/// Makes a pod on each of these nodes.
fn make(rollout: &Rollout<'_>, nodes: &[String], sites: &mut BTreeMap<String, Site>, plan: &mut Plan) {
    let made = nodes.iter().enumerate().map(|(salt, node)| place::make(rollout, node, salt));
    let made: Vec<Object> = made.collect();
    // Side by side, so that they go into the log together.
    made.iter().for_each(|pod| plan.create(pod.clone()));
    for pod in &made {
        let message = format!("Created pod: {}", pod.name());
        plan.record(COMPONENT, rollout.set, "SuccessfulCreate", message);
    }
    for (node, pod) in nodes.iter().zip(made) {
        if let Some(site) = sites.get_mut(node) {
            site.pods.push(pod);
        }
    }
}

/// Deletes pods that are too many, have failed, or may not stay.
fn settle(rollout: &Rollout<'_>, node: &str, site: &mut Site, plan: &mut Plan) {
    let (set, now) = (rollout.set, rollout.now);
    for failed in site.pods.iter().filter(|pod| pods::has_ended(pod) && !pod.is_terminating()) {
        let created: Timestamp = failed.text(&["metadata", "creationTimestamp"]).parse().unwrap_or(now);
        let age = Duration::try_from(now.duration_since(created)).unwrap_or_default();
        if age < FAILED_PAUSE {
            plan.requeue(FAILED_PAUSE.saturating_sub(age));
            continue;
        }
        plan.delete(PODS, failed);
        let message = format!(
            "Found failed daemon pod {}/{} on node {node}, will try to kill it",
            set.namespace(),
            failed.name()
        );
        plan.warn(COMPONENT, set, "FailedDaemonPod", message);
    }
    let active = || site.pods.iter().filter(|pod| pods::is_active(pod));
    let surplus: Vec<Object> = if site.placement == Placement::Never {
        active().cloned().collect()
    } else if update::surges(set) {
        // One of the current template, and one of those before it, may be side by side; of
        // several, one that serves is kept.
        let mut all: Vec<&Object> = active().collect();
        all.sort_by_key(|pod| !rollout.is_available(pod));
        let (current, old): (Vec<&Object>, Vec<&Object>) =
            all.into_iter().partition(|pod| rollout.is_current(pod));
        current.into_iter().skip(1).chain(old.into_iter().skip(1)).cloned().collect()
    } else {
        active().skip(1).cloned().collect()
    };
    for pod in &surplus {
        remove(set, pod, plan);
        site.pods.retain(|other| other.uid() != pod.uid());
    }
}

fn remove(set: &Object, pod: &Object, plan: &mut Plan) {
    plan.delete(PODS, pod);
    plan.record(COMPONENT, set, "SuccessfulDelete", format!("Deleted pod: {}", pod.name()));
}

/// Writes the status, which `new` has a part of already.
fn report(rollout: &Rollout<'_>, mut new: Object, sites: &BTreeMap<String, Site>, plan: &mut Plan) {
    let set = rollout.set;
    let (mut desired, mut current, mut misplaced, mut ready, mut available, mut updated) = (0, 0, 0, 0, 0, 0);
    for site in sites.values() {
        let pod = site.pod();
        if site.placement != Placement::Wanted {
            misplaced += i64::from(pod.is_some());
            continue;
        }
        desired += 1;
        let Some(pod) = pod else { continue };
        current += 1;
        updated += i64::from(rollout.is_current(pod));
        let wait = pods::until_available(pod, rollout.min_ready, rollout.now);
        ready += i64::from(wait.is_some());
        available += i64::from(wait.is_some_and(|wait| wait.is_zero()));
        wait.filter(|wait| !wait.is_zero()).into_iter().for_each(|wait| plan.requeue(wait));
    }
    for (field, count) in [
        ("currentNumberScheduled", current),
        ("numberMisscheduled", misplaced),
        ("desiredNumberScheduled", desired),
        ("numberReady", ready),
    ] {
        new.set(&["status", field], count);
    }
    counts::set_status(&mut new, "observedGeneration", set.generation());
    counts::set_status(&mut new, "updatedNumberScheduled", updated);
    counts::set_status(&mut new, "numberAvailable", available);
    counts::set_status(&mut new, "numberUnavailable", desired - available);
    plan.update_status(set, new);
}

#[cfg(test)]
mod tests;
