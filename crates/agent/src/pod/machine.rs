//! What to do next with a pod: a pure function of what the API wants, what the runtime
//! has, and the time. The worker executes the steps and asks again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use xebec_runtime::{ContainerPhase, ContainerState, Sandbox};

use crate::pod::status::is_final;

/// The first pause before a restart, and the longest.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// A container that ran this long starts without a pause again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);
/// Between two tries of what is not there yet: an image, a ConfigMap, a volume.
const LOOK_FOR_IT_EVERY: Duration = Duration::from_secs(5);
/// Seconds between SIGTERM and SIGKILL when the pod does not say.
const GRACE_SECONDS: i64 = 30;

/// A kill that had no effect for so long is sent again.
const KILL_AGAIN: Duration = Duration::from_secs(1);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make the sandbox.
    RunSandbox,
    /// Start this run of a container.
    Start { container: String, attempt: u32 },
    /// Ask a container to end.
    Terminate { id: String },
    /// End a container.
    Kill { id: String },
    /// Remove the sandbox and everything in it.
    RemoveSandbox,
    /// Tell the API that the pod is gone from here.
    Forget,
}

/// What the worker remembers between two looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// When the first SIGTERM of the pod's end was sent.
    pub(crate) terminating_since: Option<Timestamp>,
    /// Runs that a liveness or startup probe condemned, by their id.
    pub(crate) condemned: BTreeMap<String, Condemned>,
    /// Starts that failed, by container: nothing exists that would say so.
    pub(crate) failed_starts: BTreeMap<String, FailedStart>,
}

/// A run that must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condemned {
    /// Between its SIGTERM and its SIGKILL; the pod's own where it is absent.
    pub(crate) grace_seconds: Option<i64>,
    /// When it was asked to end.
    pub(crate) asked: Option<Timestamp>,
}

/// A start that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedStart {
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// What its command would have ended with, where it got that far: then it counts as a
    /// run. Else something was not there, and the same run is tried again.
    pub(crate) exit_code: Option<i32>,
    /// How many in a row.
    pub(crate) times: u32,
}

impl FailedStart {
    /// When, and as which run, it is tried again.
    fn again(&self) -> (Timestamp, u32) {
        match self.exit_code {
            Some(_) => (after(self.at, backoff(self.times)), self.attempt + 1),
            None => (after(self.at, LOOK_FOR_IT_EVERY), self.attempt),
        }
    }
}

/// Steps, and when to look again even if nothing happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) steps: Vec<Step>,
    pub(crate) again: Option<Timestamp>,
}

/// The id of a container's run.
pub(crate) fn run_id(container: &str, attempt: u32) -> String {
    format!("{container}.{attempt}")
}

/// The container and the number of a run.
pub(crate) fn parse_run(id: &str) -> Option<(&str, u32)> {
    let (container, attempt) = id.rsplit_once('.')?;
    Some((container, attempt.parse().ok()?))
}

/// The newest run of a container.
pub(crate) fn newest<'a>(sandbox: Option<&'a Sandbox>, container: &str) -> Option<(u32, &'a ContainerState)> {
    let runs = sandbox.into_iter().flat_map(|sandbox| &sandbox.containers);
    let runs = runs.filter_map(|state| Some((parse_run(&state.id)?, state)));
    runs.filter(|((name, _), _)| *name == container).map(|((_, n), state)| (n, state)).max_by_key(|(n, _)| *n)
}

/// What to do next.
pub(crate) fn next(pod: Option<&Pod>, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    match pod {
        Some(pod) if pod.metadata.deletion_timestamp.is_some() => ending(grace(pod), sandbox, memory, now),
        Some(pod) => running(pod, sandbox, memory, now),
        // Deleted by force: the same, without waiting.
        None => ending(0, sandbox, memory, now),
    }
}

fn grace(pod: &Pod) -> i64 {
    pod.metadata.deletion_grace_period_seconds.unwrap_or_else(|| own_grace(pod))
}

fn own_grace(pod: &Pod) -> i64 {
    pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(GRACE_SECONDS)
}

fn ending(grace: i64, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    match sandbox {
        None => Next { steps: vec![Step::Forget], again: None },
        Some(sandbox) if sandbox.alive && sandbox.containers.iter().any(is_running) => {
            stopping(grace, sandbox, memory, now)
        }
        Some(_) => Next { steps: vec![Step::RemoveSandbox, Step::Forget], again: None },
    }
}

/// Ends every container that runs: asks first.
fn stopping(grace: i64, sandbox: &Sandbox, memory: &Memory, now: Timestamp) -> Next {
    let ids = sandbox.containers.iter().filter(|state| is_running(state)).map(|state| state.id.clone());
    let grace = Duration::from_secs(grace.max(0).unsigned_abs());
    match memory.terminating_since {
        None if !grace.is_zero() => {
            let steps = ids.map(|id| Step::Terminate { id }).collect();
            Next { steps, again: Some(after(now, grace)) }
        }
        Some(since) if now < after(since, grace) => {
            Next { steps: Vec::new(), again: Some(after(since, grace)) }
        }
        _ => Next { steps: ids.map(|id| Step::Kill { id }).collect(), again: Some(after(now, KILL_AGAIN)) },
    }
}

fn running(pod: &Pod, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    let Some(spec) = &pod.spec else { return Next::default() };
    if pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(is_final) {
        // Whoever said so: nothing starts again.
        return sandbox.map_or_else(Next::default, |sandbox| over(pod, sandbox, memory, now));
    }
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let Some(sandbox) = sandbox.filter(|sandbox| sandbox.alive) else {
        return match sandbox {
            Some(_) => Next { steps: vec![Step::RemoveSandbox, Step::RunSandbox], again: None },
            None => Next { steps: vec![Step::RunSandbox], again: None },
        };
    };
    let grace = own_grace(pod);
    let mut out = Next::default();
    for container in spec.init_containers.iter().flatten() {
        let done =
            newest(Some(sandbox), &container.name).is_some_and(|(_, state)| exit_code(state) == Some(0));
        if !done {
            let policy = if policy == "Never" { "Never" } else { "OnFailure" };
            one(container, &Ask { policy, grace, sandbox, memory, now }, &mut out);
            return out;
        }
    }
    for container in &spec.containers {
        one(container, &Ask { policy, grace, sandbox, memory, now }, &mut out);
    }
    out
}

/// A pod in its last phase.
fn over(pod: &Pod, sandbox: &Sandbox, memory: &Memory, now: Timestamp) -> Next {
    if sandbox.alive && sandbox.containers.iter().any(is_running) {
        return stopping(own_grace(pod), sandbox, memory, now);
    }
    Next::default()
}

/// What a container's next step depends on, beside itself.
struct Ask<'a> {
    policy: &'a str,
    grace: i64,
    sandbox: &'a Sandbox,
    memory: &'a Memory,
    now: Timestamp,
}

/// One container's next step.
fn one(container: &Container, ask: &Ask<'_>, out: &mut Next) {
    let run = newest(Some(ask.sandbox), &container.name);
    let start = |attempt| Step::Start { container: container.name.clone(), attempt };
    let repeated = |code: i32| ask.policy == "Always" || (ask.policy == "OnFailure" && code != 0);
    let failed = ask.memory.failed_starts.get(&container.name);
    if let Some(failed) = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt)) {
        if failed.exit_code.is_none_or(repeated) {
            let (at, attempt) = failed.again();
            out.at(at, ask.now, start(attempt));
        }
        return;
    }
    let Some((attempt, state)) = run else {
        out.steps.push(start(0));
        return;
    };
    let ContainerPhase::Exited { code, finished_at, .. } = &state.phase else {
        if let Some(condemned) = ask.memory.condemned.get(&state.id) {
            end(&state.id, condemned, ask, out);
        }
        return;
    };
    if repeated(*code) {
        let ran = finished_at.duration_since(state.started_at).unsigned_abs();
        let pause = if ran >= FORGIVEN_AFTER { Duration::ZERO } else { backoff(attempt) };
        out.at(after(*finished_at, pause), ask.now, start(attempt + 1));
    }
}

/// A condemned run's end: asked for, then forced.
fn end(id: &str, condemned: &Condemned, ask: &Ask<'_>, out: &mut Next) {
    let grace = condemned.grace_seconds.unwrap_or(ask.grace).max(0);
    let until = |since| after(since, Duration::from_secs(grace.unsigned_abs()));
    match condemned.asked {
        None if grace > 0 => out.steps.push(Step::Terminate { id: id.to_owned() }),
        Some(since) if ask.now < until(since) => out.wait(until(since)),
        _ => {
            out.steps.push(Step::Kill { id: id.to_owned() });
            out.wait(after(ask.now, KILL_AGAIN));
        }
    }
}

impl Next {
    /// The step when its time has come, else the wait for it.
    fn at(&mut self, at: Timestamp, now: Timestamp, step: Step) {
        if now < at {
            self.wait(at);
        } else {
            self.steps.push(step);
        }
    }

    fn wait(&mut self, at: Timestamp) {
        self.again = Some(self.again.map_or(at, |earlier| earlier.min(at)));
    }
}

/// The pause before the run that follows `attempt`: none after the first, then 10 s,
/// doubling to 5 min.
pub(crate) fn backoff(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        n => LONGEST_BACKOFF.min(FIRST_BACKOFF * 2_u32.saturating_pow((n - 1).min(10))),
    }
}

pub(crate) fn is_running(state: &ContainerState) -> bool {
    matches!(state.phase, ContainerPhase::Running)
}

fn exit_code(state: &ContainerState) -> Option<i32> {
    match state.phase {
        ContainerPhase::Exited { code, .. } => Some(code),
        ContainerPhase::Running => None,
    }
}

fn after(time: Timestamp, pause: Duration) -> Timestamp {
    time.checked_add(pause).unwrap_or(time)
}

#[cfg(test)]
mod tests;
