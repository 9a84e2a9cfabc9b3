//! A Deployment's status: counts, and the conditions Available and Progressing with
//! Kubernetes' reasons.

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;

use super::sets::Sets;
use super::{Bounds, is_paused};
use crate::conditions::{self, Condition};
use crate::counts;
use crate::replica_set::FAILURE;

const PROGRESSING: &str = "Progressing";
/// The rollout is done; this reason stays until the next one.
const DONE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// `progressDeadlineSeconds` that means never.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// Fills the status in for what the sets say, with the bounds of the new status.
pub(super) fn report(new: &mut Object, sets: &Sets, now: Timestamp) {
    let old = new.clone();
    count(new, sets);
    note_available(new, now);
    note_failure(new, sets, now);
    if deadline(new).is_none() {
        // Nobody watches over it any longer.
        conditions::remove(new, PROGRESSING);
    } else if !is_paused(new) {
        note_progress(new, &old, sets, now);
    }
}

fn count(new: &mut Object, sets: &Sets) {
    let sum = |field: &str| sets.all().map(|set| counts::status(&set.object, field)).sum::<i64>();
    let updated = sets.current.as_ref().map_or(0, |set| counts::status(&set.object, "replicas"));
    let available = sum("availableReplicas");
    new.set(&["status", "observedGeneration"], new.generation());
    counts::set_status(new, "replicas", sum("replicas"));
    counts::set_status(new, "updatedReplicas", updated);
    counts::set_status(new, "readyReplicas", sum("readyReplicas"));
    counts::set_status(new, "availableReplicas", available);
    counts::set_status(new, "unavailableReplicas", (sets.replicas() - available).max(0));
}

fn note_available(new: &mut Object, now: Timestamp) {
    let enough = counts::status(new, "availableReplicas") >= Bounds::of(new).least_available();
    let (status, reason, message) = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    let condition = Condition { kind: "Available", status, reason, message: message.to_owned() };
    conditions::set(new, &condition, now);
}

/// What a set's pods are refused for is the Deployment's to tell too, the newest set's first.
fn note_failure(new: &mut Object, sets: &Sets, now: Timestamp) {
    let newest_first = sets.current.iter().chain(sets.old.iter().rev());
    let mut failed = newest_first.filter(|set| conditions::find(&set.object, FAILURE).is_some());
    let Some(set) = failed.next() else { return conditions::remove(new, FAILURE) };
    let text = |field| conditions::text(&set.object, FAILURE, field);
    let (reason, message) = (text("reason").to_owned(), text("message").to_owned());
    conditions::set(new, &Condition { kind: FAILURE, status: "True", reason: &reason, message }, now);
}

fn note_progress(new: &mut Object, old: &Object, sets: &Sets, now: Timestamp) {
    let reason = conditions::text(new, PROGRESSING, "reason");
    let all_updated = counts::status(new, "replicas") == counts::status(new, "updatedReplicas");
    if reason == DONE && all_updated {
        return;
    }
    let subject = match &sets.current {
        Some(current) => format!("ReplicaSet \"{}\"", current.object.name()),
        None => format!("Deployment \"{}\"", new.name()),
    };
    if is_complete(new) {
        progressing(new, "True", DONE, format!("{subject} has successfully progressed."), now);
    } else if has_progressed(old, new) {
        let message = format!("{subject} is progressing.");
        let condition = Condition { kind: PROGRESSING, status: "True", reason: "ReplicaSetUpdated", message };
        conditions::replace(new, &condition, now);
    } else if until_deadline(new, now).is_some_and(|left| left.is_zero()) {
        progressing(new, "False", TIMED_OUT, format!("{subject} has timed out progressing."), now);
    }
}

/// Every replica is of the current template and available, and nothing else is left.
pub(super) fn is_complete(deployment: &Object) -> bool {
    let wanted = counts::replicas(deployment);
    ["updatedReplicas", "replicas", "availableReplicas"]
        .into_iter()
        .all(|field| counts::status(deployment, field) == wanted)
}

/// More of the new, or less of the old, than before.
fn has_progressed(old: &Object, new: &Object) -> bool {
    let grew = |field| counts::status(new, field) > counts::status(old, field);
    let leftover = |object| counts::status(object, "replicas") - counts::status(object, "updatedReplicas");
    let more = ["updatedReplicas", "readyReplicas", "availableReplicas"].into_iter().any(grew);
    more || leftover(new) < leftover(old)
}

fn deadline(deployment: &Object) -> Option<Duration> {
    let seconds = counts::number(deployment, &["spec", "progressDeadlineSeconds"]).unwrap_or(600);
    let seconds = u64::try_from(seconds).ok().filter(|_| seconds != NO_DEADLINE)?;
    Some(Duration::from_secs(seconds))
}

/// How long a rollout that is under way has left; `None` when none is.
pub(super) fn until_deadline(deployment: &Object, now: Timestamp) -> Option<Duration> {
    let reason = conditions::text(deployment, PROGRESSING, "reason");
    if matches!(reason, "" | DONE | TIMED_OUT | PAUSED) {
        return None;
    }
    let since: Timestamp = conditions::text(deployment, PROGRESSING, "lastUpdateTime").parse().ok()?;
    let spent = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    Some(deadline(deployment)?.saturating_sub(spent))
}

fn progressing(new: &mut Object, status: &str, reason: &str, message: String, now: Timestamp) {
    conditions::set(new, &Condition { kind: PROGRESSING, status, reason, message }, now);
}

/// A rollout begins with a new ReplicaSet.
pub(super) fn note_created(new: &mut Object, set: &str, now: Timestamp) {
    if deadline(new).is_some() {
        progressing(new, "True", "NewReplicaSetCreated", format!("Created new replica set \"{set}\""), now);
    }
}

/// A rollout begins with a ReplicaSet that is there already.
pub(super) fn note_found(new: &mut Object, set: &str, now: Timestamp) {
    if deadline(new).is_some() && conditions::find(new, PROGRESSING).is_none() {
        progressing(new, "True", "FoundNewReplicaSet", format!("Found new replica set \"{set}\""), now);
    }
}

/// Says that a Deployment was paused or resumed, so that the deadline stands still meanwhile.
pub(super) fn note_pause(new: &mut Object, now: Timestamp) {
    let reason = conditions::text(new, PROGRESSING, "reason").to_owned();
    if deadline(new).is_none() || reason == TIMED_OUT {
        return;
    }
    if is_paused(new) && reason != PAUSED {
        progressing(new, "Unknown", PAUSED, "Deployment is paused".to_owned(), now);
    } else if !is_paused(new) && reason == PAUSED {
        progressing(new, "Unknown", "DeploymentResumed", "Deployment is resumed".to_owned(), now);
    }
}
