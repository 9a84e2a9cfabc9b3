//! One container's status: its state, its last one, whether it is ready.

use k8s_openapi::api::core::v1::Container;
use serde_json::{Value, json};
use xebec_api::time::rfc3339;
use xebec_runtime::{ContainerPhase, ContainerState, Sandbox};

use super::Facts;
use crate::pod::machine::{FailedStart, backoff, is_running, newest, parse_run};

pub(super) fn container_status(facts: &Facts<'_>, container: &Container, init: bool) -> Value {
    let run = newest(facts.sandbox, &container.name);
    let failed = facts.memory.failed_starts.get(&container.name);
    let failed = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt));
    let mut status = json!({
        "name": container.name,
        "image": container.image,
        "imageID": run.map(|(_, state)| state.image_digest.clone()).unwrap_or_default(),
        "restartCount": failed.map_or_else(|| run.map_or(0, |(attempt, _)| attempt), |failed| failed.attempt),
        "started": run.is_some_and(|(_, state)| is_running(state)) && failed.is_none(),
        "ready": is_ready(facts, run, init),
        "state": state(facts, run, failed, init),
    });
    if let Some((_, state)) = run {
        let uid = facts.sandbox.map_or("", |sandbox| &sandbox.pod_uid);
        status["containerID"] = format!("xebec://{uid}/{}", state.id).into();
    }
    if status["state"].get("terminated").is_none()
        && let Some(last) = last(facts, container, run, failed)
    {
        status["lastState"] = json!({"terminated": last});
    }
    status
}

/// The exit code of a container that has ended for now.
pub(super) fn exit_code(status: &Value) -> Option<i64> {
    status["state"]["terminated"]["exitCode"].as_i64()
}

type Run<'a> = Option<(u32, &'a ContainerState)>;

fn state(facts: &Facts<'_>, run: Run<'_>, failed: Option<&FailedStart>, init: bool) -> Value {
    match (failed, run) {
        (Some(failed), _) => failed_state(facts, failed, init),
        (None, None) => {
            let waits = init || !is_initialized(facts);
            json!({"waiting": {"reason": if waits { "PodInitializing" } else { "ContainerCreating" }}})
        }
        (None, Some((attempt, state))) => run_state(facts, attempt, state, init),
    }
}

fn is_initialized(facts: &Facts<'_>) -> bool {
    let mut all = facts.pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    all.all(|container| {
        let run = newest(facts.sandbox, &container.name);
        run.is_some_and(|(_, state)| matches!(state.phase, ContainerPhase::Exited { code: 0, .. }))
    })
}

/// What the container was before: the run or the failed start that the present state is not.
fn last(
    facts: &Facts<'_>,
    container: &Container,
    run: Run<'_>,
    failed: Option<&FailedStart>,
) -> Option<Value> {
    if let Some(ended) = failed.and_then(never_ran) {
        return Some(ended);
    }
    let (attempt, state) = run?;
    if !is_running(state) {
        return terminated(state);
    }
    terminated(find(facts.sandbox, &container.name, attempt.checked_sub(1)?)?)
}

fn find<'a>(sandbox: Option<&'a Sandbox>, container: &str, attempt: u32) -> Option<&'a ContainerState> {
    let mut runs = sandbox.into_iter().flat_map(|sandbox| &sandbox.containers);
    runs.find(|state| parse_run(&state.id) == Some((container, attempt)))
}

fn is_ready(facts: &Facts<'_>, run: Run<'_>, init: bool) -> bool {
    match run {
        Some((_, state)) if init => matches!(state.phase, ContainerPhase::Exited { code: 0, .. }),
        Some((_, state)) => is_running(state) && facts.readiness.get(&state.id).copied().unwrap_or(false),
        None => false,
    }
}

/// Whether a run that ended so is followed by another.
fn is_repeated(facts: &Facts<'_>, code: i32, init: bool) -> bool {
    let policy = facts.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let by_policy = match policy {
        "Always" => !init || code != 0,
        "OnFailure" => code != 0,
        _ => false,
    };
    by_policy && facts.pod.metadata.deletion_timestamp.is_none()
}

fn failed_state(facts: &Facts<'_>, failed: &FailedStart, init: bool) -> Value {
    if let (Some(ended), Some(code)) = (never_ran(failed), failed.exit_code)
        && !is_repeated(facts, code, init)
    {
        return json!({"terminated": ended});
    }
    if failed.exit_code.is_some() && failed.times > 1 {
        return crash_loop(failed.times);
    }
    let (reason, message) = match (failed.reason, failed.times) {
        ("ErrImagePull", 2..) => ("ImagePullBackOff", format!("Back-off pulling image: {}", failed.message)),
        (reason, _) => (reason, failed.message.clone()),
    };
    json!({"waiting": {"reason": reason, "message": message}})
}

fn crash_loop(after: u32) -> Value {
    let pause = backoff(after).as_secs();
    let message = format!("back-off {pause}s restarting failed container");
    json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
}

fn run_state(facts: &Facts<'_>, attempt: u32, state: &ContainerState, init: bool) -> Value {
    let ContainerPhase::Exited { code, .. } = state.phase else {
        return json!({"running": {"startedAt": rfc3339(state.started_at)}});
    };
    if attempt > 0 && is_repeated(facts, code, init) {
        return crash_loop(attempt);
    }
    json!({"terminated": terminated(state)})
}

/// A command that did not run, as a run that ended at once.
fn never_ran(failed: &FailedStart) -> Option<Value> {
    let at = rfc3339(failed.at);
    Some(json!({
        "exitCode": failed.exit_code?, "reason": "StartError", "message": failed.message,
        "startedAt": at, "finishedAt": at,
    }))
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
