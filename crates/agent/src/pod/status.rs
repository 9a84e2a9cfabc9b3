//! What is said of a pod: a pure function of its spec, its sandbox and its probes,
//! with Kubernetes' own phases, conditions and reasons.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Value, json};
use xebec_api::time::rfc3339;
use xebec_runtime::{ContainerPhase, ContainerState, Sandbox};

use crate::pod::machine::{FailedStart, Memory, backoff, is_running, newest, parse_run};

/// What probes say: by run id, whether it is ready.
pub(crate) type Readiness = BTreeMap<String, bool>;

/// What a status is made of.
pub(crate) struct Facts<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) sandbox: Option<&'a Sandbox>,
    pub(crate) memory: &'a Memory,
    pub(crate) readiness: &'a Readiness,
    pub(crate) host_ip: String,
    pub(crate) now: Timestamp,
    /// The status that the API has.
    pub(crate) old: &'a Value,
}

/// The whole status.
pub(crate) fn of(facts: &Facts<'_>) -> Value {
    let spec = facts.pod.spec.clone().unwrap_or_default();
    let init: Vec<Value> =
        spec.init_containers.iter().flatten().map(|c| container_status(facts, c, true)).collect();
    let containers: Vec<Value> = spec.containers.iter().map(|c| container_status(facts, c, false)).collect();
    let initialized = init.iter().all(|status| status["state"]["terminated"]["exitCode"] == 0);
    let ready = !containers.is_empty() && containers.iter().all(|status| status["ready"] == true);
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let phase = phase(policy, &init, &containers);
    let mut ips: Vec<String> =
        facts.sandbox.into_iter().flat_map(|s| &s.ips).map(ToString::to_string).collect();
    if spec.host_network == Some(true) && facts.sandbox.is_some() {
        ips = vec![facts.host_ip.clone()];
    }
    let mut status = json!({
        "phase": phase,
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "startTime": facts.old.get("startTime").cloned().unwrap_or_else(|| rfc3339(facts.now).into()),
        "qosClass": facts.old.get("qosClass").cloned().unwrap_or_else(|| "Burstable".into()),
        "containerStatuses": containers,
        "conditions": conditions(facts, initialized, ready, phase),
    });
    if !init.is_empty() {
        status["initContainerStatuses"] = init.into();
    }
    if let Some(ip) = ips.first() {
        status["podIP"] = ip.as_str().into();
        status["podIPs"] = ips.iter().map(|ip| json!({"ip": ip})).collect();
    }
    status
}

fn phase(policy: &str, init: &[Value], containers: &[Value]) -> &'static str {
    let ended = |status: &Value| status["state"]["terminated"]["exitCode"].as_i64();
    if init.iter().any(|status| ended(status).is_some_and(|code| code != 0) && policy == "Never") {
        return "Failed";
    }
    if init.iter().any(|status| ended(status) != Some(0)) {
        return "Pending";
    }
    let codes: Vec<Option<i64>> = containers.iter().map(ended).collect();
    if policy != "Always" && codes.iter().all(|code| code.is_some_and(|c| c == 0)) {
        return "Succeeded";
    }
    if policy == "Never" && codes.iter().all(Option::is_some) {
        return "Failed";
    }
    let started = |status: &Value| status["containerID"].is_string();
    if containers.iter().all(|status| !started(status)) { "Pending" } else { "Running" }
}

fn container_status(facts: &Facts<'_>, container: &Container, init: bool) -> Value {
    let run = newest(facts.sandbox, &container.name);
    let failed = facts.memory.failed_starts.iter().rev().find(|f| f.container == container.name);
    let failed = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt));
    let attempts = run.map_or(0, |(attempt, _)| attempt);
    let mut status = json!({
        "name": container.name,
        "image": container.image,
        "imageID": run.map(|(_, state)| state.image_digest.clone()).unwrap_or_default(),
        "restartCount": attempts.max(failed.map_or(0, |f| if f.waits { f.attempt } else { f.attempt + 1 })),
        "started": run.is_some_and(|(_, state)| is_running(state)) && failed.is_none(),
    });
    status["ready"] = is_ready(facts, run, init).into();
    status["state"] = match (failed, run) {
        (Some(failed), _) => waiting_to_start(failed),
        (None, None) => {
            json!({"waiting": {"reason": if init { "PodInitializing" } else { "ContainerCreating" }}})
        }
        (None, Some((attempt, state))) => state_of(facts, attempt, state),
    };
    if let Some((attempt, state)) = run {
        status["containerID"] =
            format!("xebec://{}/{}", facts.sandbox.map_or("", |s| &s.pod_uid), state.id).into();
        let previous = if is_running(state) { attempt.checked_sub(1) } else { Some(attempt) };
        let previous = previous.and_then(|n| find(facts.sandbox, &container.name, n));
        let shown_as_last = status["state"].get("terminated").is_none();
        if let Some(last) = previous.filter(|_| shown_as_last).and_then(terminated) {
            status["lastState"] = json!({"terminated": last});
        }
    }
    status
}

fn find<'a>(sandbox: Option<&'a Sandbox>, container: &str, attempt: u32) -> Option<&'a ContainerState> {
    let mut runs = sandbox.into_iter().flat_map(|sandbox| &sandbox.containers);
    runs.find(|state| parse_run(&state.id) == Some((container, attempt)))
}

fn is_ready(facts: &Facts<'_>, run: Option<(u32, &ContainerState)>, init: bool) -> bool {
    match run {
        Some((_, state)) if init => matches!(state.phase, ContainerPhase::Exited { code: 0, .. }),
        Some((_, state)) => is_running(state) && facts.readiness.get(&state.id).copied().unwrap_or(false),
        None => false,
    }
}

fn waiting_to_start(failed: &FailedStart) -> Value {
    let reason = match (failed.reason.as_str(), failed.times) {
        ("ErrImagePull", 2..) => "ImagePullBackOff",
        ("RunContainerError" | "StartError", 2..) => "CrashLoopBackOff",
        (reason, _) => reason,
    };
    json!({"waiting": {"reason": reason, "message": failed.message}})
}

fn state_of(facts: &Facts<'_>, attempt: u32, state: &ContainerState) -> Value {
    if is_running(state) {
        return json!({"running": {"startedAt": rfc3339(state.started_at)}});
    }
    let policy = facts.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let ended = terminated(state).unwrap_or_default();
    let again = policy == "Always" || (policy == "OnFailure" && ended["exitCode"] != 0);
    if again && attempt > 0 && facts.pod.metadata.deletion_timestamp.is_none() {
        let pause = backoff(attempt).as_secs();
        let message = format!("back-off {pause}s restarting failed container");
        return json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
    }
    json!({"terminated": ended})
}

fn terminated(state: &ContainerState) -> Option<Value> {
    let ContainerPhase::Exited { code, signal, finished_at, oom_killed } = &state.phase else { return None };
    let reason = match (oom_killed, code) {
        (true, _) => "OOMKilled",
        (false, 0) => "Completed",
        (false, _) => "Error",
    };
    let mut value = json!({
        "exitCode": code, "reason": reason, "startedAt": rfc3339(state.started_at), "finishedAt": rfc3339(*finished_at),
    });
    if let Some(signal) = signal {
        value["signal"] = (*signal).into();
    }
    Some(value)
}

fn conditions(facts: &Facts<'_>, initialized: bool, ready: bool, phase: &str) -> Vec<Value> {
    let done = matches!(phase, "Succeeded" | "Failed");
    let not_ready = if done { "PodCompleted" } else { "ContainersNotReady" };
    let sandbox = facts.sandbox.is_some_and(|sandbox| sandbox.alive);
    let mine = [
        ("PodReadyToStartContainers", sandbox, ""),
        ("Initialized", initialized, "ContainersNotInitialized"),
        ("Ready", ready, not_ready),
        ("ContainersReady", ready, not_ready),
        ("PodScheduled", true, ""),
    ];
    let old = facts.old.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all: Vec<Value> =
        old.iter().filter(|c| !mine.iter().any(|(kind, ..)| c["type"] == *kind)).cloned().collect();
    for (kind, holds, reason) in mine {
        let value = if holds { "True" } else { "False" };
        let before = old.iter().find(|c| c["type"] == kind && c["status"] == value);
        let since = before.map_or_else(|| rfc3339(facts.now).into(), |c| c["lastTransitionTime"].clone());
        let mut condition =
            json!({"type": kind, "status": value, "lastProbeTime": null, "lastTransitionTime": since});
        if !holds && !reason.is_empty() {
            condition["reason"] = reason.into();
        }
        all.push(condition);
    }
    all
}
