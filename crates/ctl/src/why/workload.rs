//! Deployments, ReplicaSets, DaemonSets and StatefulSets: how many pods are there of how
//! many, and the one pod that says why it is not all of them.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{condition, is_active, is_ready};
use xebec_api::well_known::REVISION;

use super::explanation::Explanation;
use super::facts::Facts;
use super::pod;
use super::wording::{count, named, quoted, since, text};

/// Why it is as it is.
pub(super) fn explain(facts: &Facts, object: &Object) -> Explanation {
    if number(object, &["status", "observedGeneration"]) < object.generation() {
        return unseen(object);
    }
    match object.kind() {
        "Deployment" => deployment(facts, object),
        "DaemonSet" => daemon_set(facts, object),
        _ => replicas(facts, object, object, "readyReplicas"),
    }
}

fn number(object: &Object, path: &[&str]) -> i64 {
    object.get(path).and_then(Value::as_i64).unwrap_or_default()
}

fn wanted(object: &Object) -> i64 {
    object.get(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1)
}

fn unseen(object: &Object) -> Explanation {
    let said = format!("{} was changed, and no controller has taken that up yet.", named(object));
    let fix = match object.kind() {
        "StatefulSet" => "Xebec may not run StatefulSets yet: see docs/compatibility.md.",
        _ => {
            "That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`."
        }
    };
    Explanation::ill(object, said).fix(fix)
}

fn deployment(facts: &Facts, object: &Object) -> Explanation {
    let mut sets = facts.owned("ReplicaSet", object);
    let revision =
        |set: &&Object| set.annotation(REVISION).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    sets.sort_by_key(revision);
    let newest = sets.last().copied();
    if object.get(&["spec", "paused"]) == Some(&Value::Bool(true)) && is_behind(object) {
        let said = format!("{} is paused: what was changed in its template waits.", named(object));
        return Explanation::ill(object, said)
            .fix(format!("Let it go on with `xctl rollout resume deployment/{}`.", object.name()));
    }
    let explained = replicas(facts, object, newest.unwrap_or(object), "availableReplicas");
    if explained.healthy && is_behind(object) {
        return behind(object);
    }
    let progressing = condition(object, "Progressing").unwrap_or(&Value::Null);
    if explained.healthy || text(progressing, "/reason") != "ProgressDeadlineExceeded" {
        return explained;
    }
    let deadline = object.get(&["spec", "progressDeadlineSeconds"]).and_then(Value::as_i64).unwrap_or(600);
    explained
        .because(format!("The rollout got no further within its progressDeadlineSeconds of {deadline}."))
        .fix(format!(
            "Or go back to the revision before with `xctl rollout undo deployment/{}`.",
            object.name()
        ))
}

/// Not every replica is of the present template, or there are more than wanted.
fn is_behind(object: &Object) -> bool {
    number(object, &["status", "updatedReplicas"]) < wanted(object)
        || number(object, &["status", "replicas"]) > number(object, &["status", "updatedReplicas"])
}

fn behind(object: &Object) -> Explanation {
    let (wanted, updated) = (wanted(object), number(object, &["status", "updatedReplicas"]));
    let said = format!(
        "{} is rolling out: {updated} of {wanted} replicas are of its present template, and nothing stands in its way.",
        named(object)
    );
    Explanation::ill(object, said)
        .fix(format!("Follow it with `xctl rollout status deployment/{}`.", object.name()))
}

/// `owner` is what makes the pods: the object itself, or its newest ReplicaSet.
fn replicas(facts: &Facts, object: &Object, owner: &Object, field: &str) -> Explanation {
    let (wanted, ready) = (wanted(object), number(object, &["status", field]));
    let word = if field == "availableReplicas" { "available" } else { "ready" };
    if wanted == 0 {
        let kind = object.kind().to_ascii_lowercase();
        return Explanation::well(object, format!("{} is scaled to 0, so it has no pods.", named(object)))
            .fix(format!("`xctl scale {kind}/{} --replicas 1` gives it one.", object.name()));
    }
    let pods = facts.owned("Pod", owner);
    let worst = worst(&pods);
    if ready >= wanted && (worst.is_none() || !is_behind(object)) {
        let since = available_since(object, facts.now);
        return Explanation::well(
            object,
            format!("{} is well: {ready} of {wanted} replicas are {word}{since}.", named(object)),
        );
    }
    let but = if ready >= wanted { ", but its new pods do not come up" } else { "" };
    let said = format!("{} has {ready} of {wanted} replicas {word}{but}.", named(object));
    blamed(facts, object, owner, &pods, Explanation::ill(object, said), wanted)
}

fn available_since(object: &Object, now: i64) -> String {
    let available = condition(object, "Available").unwrap_or(&Value::Null);
    let since = since(text(available, "/lastTransitionTime"), now);
    if since.is_empty() { since } else { format!(", as they have been{since}") }
}

/// Adds the pod that says most, or what keeps pods from being made.
fn blamed(
    facts: &Facts,
    object: &Object,
    owner: &Object,
    pods: &[&Object],
    explained: Explanation,
    wanted: i64,
) -> Explanation {
    if let Some(message) = refused(facts, owner).filter(|_| (pods.len() as i64) < wanted) {
        return explained
            .because(format!("Its pods cannot be made: {message}."))
            .fix("Correct the template, or have the limit that refuses it raised.");
    }
    let Some(worst) = worst(pods) else {
        let left = wanted - pods.iter().filter(|pod| is_active(pod)).count() as i64;
        if left > 0 {
            return explained.because(format!("{left} of its pods are still to be made.")).fix(
                "That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`.",
            );
        }
        return explained
            .because(min_ready(object))
            .fix("Nothing has gone wrong so far: ask again in a few seconds.");
    };
    let unwell = pods.iter().filter(|pod| pod::severity(pod) > 0).count();
    let others = (unwell > 1).then(|| format!("{unwell} of its pods are not ready; one of them:"));
    explained.because_if(others).follow(pod::explain(facts, worst))
}

fn min_ready(object: &Object) -> String {
    match number(object, &["spec", "minReadySeconds"]) {
        0 => "Its pods are ready, which its status does not say yet.".to_owned(),
        seconds => {
            format!("Its pods are ready, and count once they have been so for {seconds}s (minReadySeconds).")
        }
    }
}

/// The pod whose state says most about why there are not enough.
pub(super) fn worst<'a>(pods: &[&'a Object]) -> Option<&'a Object> {
    let ill = pods.iter().copied().filter(|pod| !is_ready(pod) && pod::severity(pod) > 0);
    ill.max_by(|a, b| (pod::severity(a), b.name()).cmp(&(pod::severity(b), a.name())))
}

fn refused(facts: &Facts, owner: &Object) -> Option<String> {
    let failure = condition(owner, "ReplicaFailure").filter(|it| text(it, "/status") == "True");
    let message = failure.map(|it| text(it, "/message").to_owned());
    let told = || Some(facts.last_event(owner, "FailedCreate")?.text(&["message"]).to_owned());
    message.or_else(told).map(|message| quoted(&message))
}

fn daemon_set(facts: &Facts, object: &Object) -> Explanation {
    let status = |field: &str| number(object, &["status", field]);
    let [wanted, ready, updated] =
        ["desiredNumberScheduled", "numberAvailable", "updatedNumberScheduled"].map(status);
    let pods = facts.owned("Pod", object);
    if wanted == 0 {
        let said = format!(
            "{} runs nowhere: no node fits its nodeSelector, affinity and tolerations.",
            named(object)
        );
        let fix = "Label a node so that it fits, or change the template.";
        return Explanation::ill(object, said).fix(fix);
    }
    let nodes = count(usize::try_from(wanted).unwrap_or_default(), "node");
    if ready >= wanted && updated >= wanted {
        return Explanation::well(
            object,
            format!("{} is well: its pod is available on each of {nodes}.", named(object)),
        );
    }
    if ready >= wanted {
        let said = format!(
            "{} is rolling out: the pods of {updated} of {nodes} are of its present template.",
            named(object)
        );
        return Explanation::ill(object, said)
            .fix(format!("Follow it with `xctl rollout status daemonset/{}`.", object.name()));
    }
    let said = format!("{} has its pod available on {ready} of {nodes}.", named(object));
    blamed(facts, object, object, &pods, Explanation::ill(object, said), wanted)
}
