//! A pod's conditions, with Kubernetes' own reasons and messages. They have no times yet:
//! [`super::merge`] gives them those that the API has, or new ones.

use serde_json::{Value, json};

use super::Facts;
use super::container::Status;

const NO_LONGER: [(&str, &str); 2] = [("Succeeded", "PodCompleted"), ("Failed", "PodFailed")];

/// All of them, in Kubernetes' order.
pub(super) fn of(facts: &Facts<'_>, init: &[Status], containers: &[Status], phase: &str) -> Vec<Value> {
    let sandbox = facts.sandbox.is_some_and(|sandbox| sandbox.alive);
    let ready = containers_ready(init, containers, phase);
    let mut all = vec![
        condition("PodReadyToStartContainers", sandbox, None),
        initialized(init, phase),
        condition_of("Ready", ready.clone().and_then(|()| gates(facts))),
        condition_of("ContainersReady", ready),
        condition("PodScheduled", true, None),
    ];
    all.extend(disruption(facts));
    all
}

/// That the pod was ended because its node was short of something.
fn disruption(facts: &Facts<'_>) -> Option<Value> {
    let failure = facts.memory.failure.as_ref().filter(|failure| failure.is_disruption)?;
    let why = ("TerminationByKubelet", failure.message.clone());
    Some(condition("DisruptionTarget", true, Some(why)))
}

type Why = (&'static str, String);

fn condition_of(kind: &str, holds: Result<(), Why>) -> Value {
    condition(kind, holds.is_ok(), holds.err())
}

fn condition(kind: &str, holds: bool, why: Option<Why>) -> Value {
    let mut condition = json!({"type": kind, "status": if holds { "True" } else { "False" }});
    if let Some((reason, message)) = why {
        condition["reason"] = reason.into();
        if !message.is_empty() {
            condition["message"] = message.into();
        }
    }
    condition
}

fn names(statuses: &[&Status]) -> String {
    statuses.iter().map(|status| status.name()).collect::<Vec<_>>().join(" ")
}

fn initialized(init: &[Status], phase: &str) -> Value {
    if phase == "Succeeded" {
        return condition("Initialized", true, Some(("PodCompleted", String::new())));
    }
    let incomplete: Vec<&Status> = init.iter().filter(|status| !status.is_past).collect();
    if incomplete.is_empty() {
        return condition("Initialized", true, None);
    }
    let message = format!("containers with incomplete status: [{}]", names(&incomplete));
    condition("Initialized", false, Some(("ContainersNotInitialized", message)))
}

/// Sidecars count, other init containers do not.
fn containers_ready(init: &[Status], containers: &[Status], phase: &str) -> Result<(), Why> {
    if let Some((_, reason)) = NO_LONGER.iter().find(|(ended, _)| *ended == phase) {
        return Err((reason, String::new()));
    }
    let sidecars = init.iter().filter(|status| status.is_sidecar);
    let unready: Vec<&Status> = sidecars.chain(containers).filter(|status| !status.is_ready()).collect();
    if unready.is_empty() && !containers.is_empty() {
        return Ok(());
    }
    Err(("ContainersNotReady", format!("containers with unready status: [{}]", names(&unready))))
}

/// What others must say before a pod counts as ready.
fn gates(facts: &Facts<'_>) -> Result<(), Why> {
    let said = facts.pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let spec = facts.pod.spec.iter();
    for gate in spec.flat_map(|spec| spec.readiness_gates.iter().flatten()) {
        let kind = &gate.condition_type;
        let found = said.into_iter().flatten().find(|condition| condition.type_ == *kind);
        let why = match found.map(|condition| condition.status.as_str()) {
            Some("True") => continue,
            Some(status) => {
                format!("the status of pod readiness gate {kind:?} is not \"True\", but {status}")
            }
            None => format!("corresponding condition of pod readiness gate {kind:?} does not exist."),
        };
        return Err(("ReadinessGatesNotReady", why));
    }
    Ok(())
}
