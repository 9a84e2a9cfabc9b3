//! One container's status: its state, its last one, whether it is ready.

use k8s_openapi::api::core::v1::{Container, ContainerStatus};
use serde_json::{Value, json};
use xebec_api::time::rfc3339;
use xebec_runtime::{ContainerPhase, ContainerState, Sandbox};

use super::{Facts, container_id, in_last_phase, statuses};
use crate::pod::machine::lost::Past;
use crate::pod::machine::{self, FailedStart, backoff, is_past, is_running, is_sidecar, newest, parse_run};

/// What is said of a run that nobody saw the end of.
const LOST_EXIT_CODE: i32 = 137;

/// A container's status, and what else the pod's own status needs to know of it.
pub(super) struct Status {
    pub(super) value: Value,
    /// An init container that keeps running beside the others.
    pub(super) is_sidecar: bool,
    /// Of an init container: what comes after it may start.
    pub(super) is_past: bool,
    /// Its own `restartPolicy`.
    pub(super) policy: Option<String>,
}

impl Status {
    pub(super) fn name(&self) -> &str {
        self.value["name"].as_str().unwrap_or_default()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.value["ready"] == true
    }

    pub(super) fn is_running(&self) -> bool {
        self.value["state"].get("running").is_some()
    }

    /// It waits for its first run.
    pub(super) fn is_unbegun(&self) -> bool {
        self.value["state"].get("waiting").is_some() && self.value.get("lastState").is_none()
    }

    /// The exit code of a container that has ended for now.
    pub(super) fn exit_code(&self) -> Option<i32> {
        i32::try_from(self.value["state"]["terminated"]["exitCode"].as_i64()?).ok()
    }
}

/// Of an init container, or of a main one.
pub(super) fn container_status(facts: &Facts<'_>, container: &Container, init: bool) -> Status {
    let is_sidecar = init && is_sidecar(container);
    Status {
        value: value(facts, container, init && !is_sidecar),
        is_sidecar,
        is_past: is_behind(facts, container),
        policy: container.restart_policy.clone(),
    }
}

/// `init` is a container that runs to its end before others start.
fn value(facts: &Facts<'_>, container: &Container, init: bool) -> Value {
    let run = newest(facts.sandbox, &container.name);
    let failed = facts.memory.failed_starts.get(&container.name);
    let failed = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt));
    let earlier = earlier(facts, &container.name).filter(|_| run.is_none() && failed.is_none());
    let restarts = match (failed, run) {
        (Some(failed), _) => i64::from(failed.attempt),
        (None, Some((attempt, _))) => i64::from(attempt),
        (None, None) => earlier.map_or(0, |status| i64::from(status.restart_count)),
    };
    let up = |state: &ContainerState| is_running(state) && (init || facts.memory.started.contains(&state.id));
    // What runs, or ran last, may be of an image that the container has no more.
    let image = run.filter(|_| failed.is_none()).map(|(_, state)| state.image.clone());
    let image = image.or_else(|| container.image.clone());
    let mut status = json!({
        "name": container.name,
        "image": image,
        "imageID": run.map(|(_, state)| state.image_digest.clone()).unwrap_or_default(),
        "restartCount": restarts,
        "started": run.is_some_and(|(_, state)| up(state)) && failed.is_none(),
        "ready": is_ready(facts, run, init),
        "state": state(facts, container, run, failed, init),
    });
    let is_over = status["state"].get("terminated").is_some();
    if let Some(earlier) = earlier.filter(|_| is_over) {
        // It ended in an earlier sandbox, and does not run again.
        status["containerID"] = earlier.container_id.clone().into();
        status["imageID"] = earlier.image_id.as_str().into();
    }
    if let Some((_, state)) = run.filter(|(_, state)| !is_opening(facts, state)) {
        let uid = facts.sandbox.map_or("", |sandbox| &sandbox.pod_uid);
        status["containerID"] = container_id(uid, &state.id).into();
    }
    if let Some(last) = last(facts, container, run, failed, is_over) {
        status["lastState"] = json!({"terminated": last});
    }
    status
}

/// What the API has of a container that ran in an earlier sandbox.
fn earlier<'a>(facts: &Facts<'a>, name: &str) -> Option<&'a ContainerStatus> {
    let has_run = |status: &ContainerStatus| status.container_id.is_some() || status.last_state.is_some();
    statuses(facts.pod).find(|status| status.name == name && has_run(status))
}

type Run<'a> = Option<(u32, &'a ContainerState)>;

fn state(
    facts: &Facts<'_>,
    container: &Container,
    run: Run<'_>,
    failed: Option<&FailedStart>,
    init: bool,
) -> Value {
    let state = match (failed, run) {
        (Some(failed), _) => failed_state(facts, container, failed, init),
        (None, None) => match ended_before(facts, container, init) {
            Some(ended) => json!({"terminated": ended}),
            None => {
                let waits = init || !is_initialized(facts);
                json!({"waiting": {"reason": if waits { "PodInitializing" } else { "ContainerCreating" }}})
            }
        },
        (None, Some((_, state))) => run_state(facts, container, state, init),
    };
    // What the node has ended, or lost for good, waits for nothing any more.
    let is_over = (facts.memory.failure.is_some() || is_abandoned(facts)) && !init && is_initialized(facts);
    if is_over && state.get("waiting").is_some() { json!({"terminated": unknown_end()}) } else { state }
}

/// How a container ended in an earlier sandbox that does not run again.
fn ended_before(facts: &Facts<'_>, container: &Container, init: bool) -> Option<Value> {
    let earlier = earlier(facts, &container.name)?.state.as_ref()?;
    let is_abandoned = is_abandoned(facts);
    if is_abandoned && earlier.running.is_some() {
        return Some(unknown_end());
    }
    let ended = earlier.terminated.as_ref()?;
    // Init containers run anew in another sandbox.
    let is_last = is_abandoned || !init && !is_repeated(facts, container, ended.exit_code, init);
    is_last.then(|| serde_json::to_value(ended).ok()).flatten()
}

/// Whether the pod's sandbox was lost, and nothing of it runs again.
fn is_abandoned(facts: &Facts<'_>) -> bool {
    let is_alive = facts.sandbox.is_some_and(|sandbox| sandbox.alive);
    !is_alive && !machine::lost::goes_on(facts.pod, facts.sandbox)
}

/// Whether what comes after an init container may start, or might have.
fn is_behind(facts: &Facts<'_>, container: &Container) -> bool {
    if is_abandoned(facts) {
        let past = machine::lost::past(facts.pod, facts.sandbox, &container.name);
        return is_sidecar(container) || past == Past::Ended(0);
    }
    facts.sandbox.is_some_and(|sandbox| is_past(facts.pod, container, sandbox, facts.memory))
}

/// The end of a run that nobody saw, or of one that never was.
fn unknown_end() -> Value {
    json!({
        "exitCode": LOST_EXIT_CODE, "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": null, "finishedAt": null,
    })
}

fn is_initialized(facts: &Facts<'_>) -> bool {
    let mut all = facts.pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    all.all(|container| is_behind(facts, container))
}

/// What the container was before: the run or the failed start that the present state is not.
fn last(
    facts: &Facts<'_>,
    container: &Container,
    run: Run<'_>,
    failed: Option<&FailedStart>,
    is_over: bool,
) -> Option<Value> {
    if let Some(ended) = failed.and_then(never_ran) {
        return (!is_over).then_some(ended);
    }
    let Some((attempt, state)) = run else {
        let earlier = || earlier(facts, &container.name)?.last_state.as_ref()?.terminated.as_ref();
        let before = || serde_json::to_value(earlier()?).ok();
        return if is_over { before() } else { lost(facts, &container.name) };
    };
    if !is_running(state) && !is_over {
        return terminated(facts, state);
    }
    match find(facts.sandbox, &container.name, attempt.checked_sub(1)?) {
        Some(before) => terminated(facts, before),
        None => lost(facts, &container.name),
    }
}

/// The last state of a container whose sandbox was lost: how it ended, if that was told,
/// else that nobody knows.
fn lost(facts: &Facts<'_>, name: &str) -> Option<Value> {
    let earlier = earlier(facts, name)?;
    let known = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        serde_json::to_value(state.as_ref()?.terminated.as_ref()?).ok()
    };
    let running = earlier.state.as_ref().and_then(|state| state.running.as_ref());
    let was_of_another = !facts.sandbox.is_some_and(|sandbox| {
        let id = earlier.container_id.as_deref().unwrap_or_default();
        sandbox.containers.iter().any(|state| id.ends_with(&format!("/{}", state.id)))
    });
    if running.is_some() && was_of_another {
        return Some(unknown_end());
    }
    if was_of_another {
        known(&earlier.state).or_else(|| known(&earlier.last_state))
    } else {
        known(&earlier.last_state)
    }
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
fn is_repeated(facts: &Facts<'_>, container: &Container, code: i32, init: bool) -> bool {
    let policy = match machine::policy(facts.pod) {
        "Always" if init => "OnFailure",
        policy => container.restart_policy.as_deref().unwrap_or(policy),
    };
    machine::is_repeated(policy, code) && goes_on(facts)
}

/// Whether a run's `postStart` goes on: it is not told to run before that is over.
fn is_opening(facts: &Facts<'_>, state: &ContainerState) -> bool {
    is_running(state) && facts.memory.opening.contains(&state.id) && goes_on(facts)
}

/// Whether anything in the pod starts again.
fn goes_on(facts: &Facts<'_>) -> bool {
    let is_leaving = facts.pod.metadata.deletion_timestamp.is_some();
    !is_leaving && facts.memory.failure.is_none() && !in_last_phase(facts.pod) && !is_abandoned(facts)
}

fn failed_state(facts: &Facts<'_>, container: &Container, failed: &FailedStart, init: bool) -> Value {
    if let (Some(ended), Some(code)) = (never_ran(failed), failed.exit_code)
        && !is_repeated(facts, container, code, init)
    {
        return json!({"terminated": ended});
    }
    if failed.exit_code.is_some() && failed.times > 1 {
        return crash_loop(facts, container, failed.times);
    }
    let (reason, message) = match (failed.reason, failed.times) {
        ("ErrImagePull", 2..) => {
            let image = container.image.as_deref().unwrap_or_default();
            (
                "ImagePullBackOff",
                format!("Back-off pulling image {image:?}: ErrImagePull: {}", failed.message),
            )
        }
        (reason, _) => (reason, failed.message.clone()),
    };
    json!({"waiting": {"reason": reason, "message": message}})
}

fn crash_loop(facts: &Facts<'_>, container: &Container, pauses: u32) -> Value {
    let pause = backoff(pauses).as_secs();
    let pause = if pause < 60 { format!("{pause}s") } else { format!("{}m{}s", pause / 60, pause % 60) };
    let (metadata, container) = (&facts.pod.metadata, &container.name);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (pod, namespace, uid) = (text(&metadata.name), text(&metadata.namespace), text(&metadata.uid));
    let message =
        format!("back-off {pause} restarting failed container={container} pod={pod}_{namespace}({uid})");
    json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
}

fn run_state(facts: &Facts<'_>, container: &Container, state: &ContainerState, init: bool) -> Value {
    let ContainerPhase::Exited { code, .. } = state.phase else {
        if is_abandoned(facts) {
            return json!({"terminated": unknown_end()});
        }
        if is_opening(facts, state) {
            return json!({"waiting": {"reason": "ContainerCreating"}});
        }
        return json!({"running": {"startedAt": rfc3339(state.started_at)}});
    };
    if facts.memory.replaced.contains(&state.id) && goes_on(facts) {
        return json!({"waiting": {"reason": "ContainerCreating"}});
    }
    let pauses = facts.memory.pauses(&container.name);
    if pauses > 0 && is_repeated(facts, container, code, init) {
        return crash_loop(facts, container, pauses);
    }
    json!({"terminated": terminated(facts, state)})
}

/// A command that did not run, as a run that ended at once.
fn never_ran(failed: &FailedStart) -> Option<Value> {
    let at = rfc3339(failed.at);
    Some(json!({
        "exitCode": failed.exit_code?, "reason": "StartError", "message": failed.message,
        "startedAt": at, "finishedAt": at,
    }))
}

fn terminated(facts: &Facts<'_>, state: &ContainerState) -> Option<Value> {
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
    if let Some(message) = facts.memory.messages.get(&state.id).filter(|message| !message.is_empty()) {
        value["message"] = message.as_str().into();
    }
    let uid = facts.sandbox.map_or("", |sandbox| &sandbox.pod_uid);
    value["containerID"] = container_id(uid, &state.id).into();
    Some(value)
}
