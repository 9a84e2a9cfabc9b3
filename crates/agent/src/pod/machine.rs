//! What to do next with a pod: a pure function of what the API wants, what the runtime
//! has, and the time. The worker executes the steps and asks again.

pub(crate) mod lost;
mod memory;
mod stopping;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use xebec_runtime::{ContainerPhase, ContainerState, Sandbox};

pub(crate) use self::memory::{Condemned, FailedStart, Failure, Memory, PreStop};
use self::stopping::stopping;
use crate::pod::containers::find;
use crate::pod::status::{in_last_phase, says_running, statuses};

/// The first pause before a restart, and the longest.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// After a container that ran this long the pauses begin anew.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);
/// Between two tries of what is not there yet: an image, a ConfigMap, a volume.
const LOOK_FOR_IT_EVERY: Duration = Duration::from_secs(5);
/// Seconds between SIGTERM and SIGKILL when the pod does not say.
const GRACE_SECONDS: i64 = 30;

/// A kill that had no effect for so long is sent again.
const KILL_AGAIN: Duration = Duration::from_secs(1);
/// What is left after its SIGTERM to a run whose hook has used up its grace.
const AFTER_A_HOOK: Duration = Duration::from_secs(2);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make the sandbox.
    RunSandbox,
    /// Start this run of a container.
    Start { container: String, attempt: u32 },
    /// Ask a container to end.
    Terminate { id: String },
    /// Cut its hook short, and ask now.
    Insist { id: String },
    /// End a container.
    Kill { id: String },
    /// Give back what the sandbox holds; what is known of its containers stays, and so do their logs.
    StopSandbox,
    /// Remove the sandbox and everything in it.
    RemoveSandbox,
    /// Tell the API that the pod is gone from here.
    Forget,
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
        Some(it) if it.metadata.deletion_timestamp.is_some() => {
            // One that is evicted while it ends has no longer than any other.
            let grace = memory.forced_grace().map_or(grace(it), |forced| forced.min(grace(it)));
            ending(pod, grace, sandbox, memory, now)
        }
        Some(pod) => running(pod, sandbox, memory, now),
        // Deleted by force: the same, without waiting.
        None => ending(None, 0, sandbox, memory, now),
    }
}

fn grace(pod: &Pod) -> i64 {
    pod.metadata.deletion_grace_period_seconds.unwrap_or_else(|| own_grace(pod))
}

fn own_grace(pod: &Pod) -> i64 {
    pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(GRACE_SECONDS)
}

fn ending(pod: Option<&Pod>, grace: i64, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    match sandbox {
        None => Next { steps: vec![Step::Forget], again: None },
        Some(sandbox) if sandbox.alive && sandbox.containers.iter().any(is_running) => {
            stopping(pod, grace, sandbox, memory, now)
        }
        Some(_) => Next { steps: vec![Step::RemoveSandbox, Step::Forget], again: None },
    }
}

fn running(pod: &Pod, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    let Some(spec) = &pod.spec else { return Next::default() };
    if in_last_phase(pod) || memory.failure.is_some() {
        // Whoever said so: nothing starts again.
        return sandbox.map_or_else(Next::default, |sandbox| over(pod, sandbox, memory, now));
    }
    let Some(sandbox) = sandbox.filter(|sandbox| sandbox.alive) else {
        return without_sandbox(pod, sandbox, memory, now);
    };
    let ask = Ask { pod, policy: policy(pod), grace: own_grace(pod), held: false, sandbox, memory, now };
    let mut out = Next::default();
    if let Some(end) = deadline(pod) {
        out.wait(end);
    }
    let mains_done = spec.containers.iter().all(|container| has_ended(container, &ask));
    if !initialize(spec, &ask, mains_done, &mut out) {
        return out;
    }
    if mains_done {
        // Only sidecars can be left.
        return over(pod, sandbox, memory, now);
    }
    let mut held = false;
    for container in &spec.containers {
        let has_run = newest(Some(sandbox), &container.name).is_some();
        if !has_run && has_ended(container, &ask) {
            // It succeeded before the last sandbox was lost.
            continue;
        }
        let policy = container.restart_policy.as_deref().unwrap_or(ask.policy);
        one(container, &Ask { policy, held, ..ask }, &mut out);
        held |= is_opening(container, &ask, &out);
    }
    out
}

/// A pod whose sandbox is not there yet, or was lost.
fn without_sandbox(pod: &Pod, lost: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    match lost {
        _ if lost::goes_on(pod, lost) => {
            let removed = lost.map(|_| Step::RemoveSandbox);
            Next { steps: removed.into_iter().chain([Step::RunSandbox]).collect(), again: None }
        }
        Some(sandbox) => over(pod, sandbox, memory, now),
        None => Next::default(),
    }
}

/// Whether a container's `postStart` runs, or is about to: those after it start once it is over.
fn is_opening(container: &Container, ask: &Ask<'_>, out: &Next) -> bool {
    let is_it = |step: &Step| matches!(step, Step::Start { container: it, .. } if *it == container.name);
    let has_hook = container.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.post_start.is_some());
    let run = newest(Some(ask.sandbox), &container.name).filter(|(_, state)| is_running(state));
    let is_open = run.is_none_or(|(_, state)| !ask.memory.opening.contains(&state.id));
    !is_open || has_hook && out.steps.iter().any(is_it)
}

/// The steps of the init containers; `false` while one of them holds the others back.
/// Sidecars are kept running for as long as there is somebody to serve.
fn initialize(spec: &PodSpec, ask: &Ask<'_>, mains_done: bool, out: &mut Next) -> bool {
    for container in spec.init_containers.iter().flatten() {
        let policy = match (is_sidecar(container), ask.policy) {
            (true, _) if mains_done => continue,
            (true, _) => "Always",
            (false, "Never") => "Never",
            (false, _) => "OnFailure",
        };
        let is_past = is_past(ask.pod, container, ask.sandbox, ask.memory);
        if !is_past || is_sidecar(container) {
            one(container, &Ask { policy, ..*ask }, out);
        }
        if !is_past {
            return false;
        }
    }
    true
}

/// `restartPolicy` of the pod.
pub(crate) fn policy(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
}

/// An init container that keeps running beside the others.
pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// When a pod with `activeDeadlineSeconds` must be over.
pub(crate) fn deadline(pod: &Pod) -> Option<Timestamp> {
    let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
    let started = pod.status.as_ref()?.start_time.as_ref()?.0;
    Some(after(started, Duration::from_secs(seconds.max(0).unsigned_abs())))
}

/// Whether what comes after an init container may start: it has run to its end, or, as a
/// sidecar, is up. One that is behind others which have started was up before.
pub(crate) fn is_past(pod: &Pod, container: &Container, sandbox: &Sandbox, memory: &Memory) -> bool {
    let run = newest(Some(sandbox), &container.name);
    if !is_sidecar(container) {
        return run.is_some_and(|(_, state)| exit_code(state) == Some(0));
    }
    let up = run.is_some_and(|(_, state)| is_running(state) && memory.started.contains(&state.id));
    let spec = pod.spec.iter();
    let mut later = spec
        .flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers))
        .skip_while(|other| other.name != container.name)
        .skip(1);
    up || later.any(|other| newest(Some(sandbox), &other.name).is_some())
}

/// Whether a run is of another image than its container has by now: the only field of a
/// container that may change, and one that takes a new run.
pub(crate) fn is_outdated(container: &Container, state: &ContainerState) -> bool {
    is_running(state) && container.image.as_deref().unwrap_or_default() != state.image
}

/// Whether a main container has run, and will not run again.
fn has_ended(container: &Container, ask: &Ask<'_>) -> bool {
    let policy = container.restart_policy.as_deref().unwrap_or(ask.policy);
    let run = newest(Some(ask.sandbox), &container.name);
    let failed = ask.memory.failed_starts.get(&container.name);
    let failed = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt));
    let code = match failed {
        Some(failed) => failed.exit_code,
        None if run.is_some_and(|(_, state)| ask.memory.replaced.contains(&state.id)) => None,
        None => match run {
            Some((_, state)) => exit_code(state),
            None => told_code(ask.pod, &container.name),
        },
    };
    code.is_some_and(|code| !is_repeated(policy, code))
}

/// What the API was told that a container ended with, in whichever sandbox.
fn told_code(pod: &Pod, container: &str) -> Option<i32> {
    match lost::past(pod, None, container) {
        lost::Past::Ended(code) => Some(code),
        lost::Past::None | lost::Past::Lost => None,
    }
}

/// Whether a run that ended with this code is followed by another.
pub(crate) fn is_repeated(policy: &str, code: i32) -> bool {
    policy == "Always" || (policy == "OnFailure" && code != 0)
}

/// Whether another run follows one of a main container or a sidecar that fails.
pub(crate) fn restarts_on_failure(pod: &Pod, container: &str) -> bool {
    let own = find(pod, container).and_then(|container| container.restart_policy.as_deref());
    own.unwrap_or_else(|| policy(pod)) != "Never"
}

/// A pod in its last phase. Once nothing runs in it and the API knows how everything ended,
/// it needs nothing of the node but its record and its logs.
fn over(pod: &Pod, sandbox: &Sandbox, memory: &Memory, now: Timestamp) -> Next {
    if sandbox.alive && sandbox.containers.iter().any(is_running) {
        let grace = memory.forced_grace().unwrap_or_else(|| own_grace(pod));
        return stopping(Some(pod), grace, sandbox, memory, now);
    }
    let steps = if is_told(pod) && !sandbox.stopped { vec![Step::StopSandbox] } else { Vec::new() };
    Next { steps, again: None }
}

/// Whether the API has the pod's last phase, and of no container that it runs: after a
/// restart of the agent it would say what nobody else knows any more.
pub(crate) fn is_told(pod: &Pod) -> bool {
    in_last_phase(pod) && !statuses(pod).any(says_running)
}

/// The number of a container's first run in a sandbox: one that was made anew goes on
/// where the last one ended, so that restarts are not forgotten with it.
fn first_attempt(pod: &Pod, memory: &Memory, container: &str) -> u32 {
    let known = statuses(pod).find(|status| status.name == container && status.container_id.is_some());
    let told = known.map(|status| u32::try_from(status.restart_count).unwrap_or_default());
    told.max(memory.newest.get(container).copied()).map_or(0, |last| last.saturating_add(1))
}

/// What a container's next step depends on, beside itself.
#[derive(Clone, Copy)]
struct Ask<'a> {
    pod: &'a Pod,
    policy: &'a str,
    grace: i64,
    /// One before it is not through with its `postStart`: nothing starts.
    held: bool,
    sandbox: &'a Sandbox,
    memory: &'a Memory,
    now: Timestamp,
}

/// One container's next step.
fn one(container: &Container, ask: &Ask<'_>, out: &mut Next) {
    let run = newest(Some(ask.sandbox), &container.name);
    if ask.held && !run.is_some_and(|(_, state)| is_running(state)) {
        return;
    }
    let start = |attempt| Step::Start { container: container.name.clone(), attempt };
    let repeated = |code: i32| is_repeated(ask.policy, code);
    let failed = ask.memory.failed_starts.get(&container.name);
    if let Some(failed) = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt)) {
        if failed.exit_code.is_none_or(repeated) {
            let (at, attempt) = failed.again();
            out.at(at, ask.now, start(attempt));
        }
        return;
    }
    let Some((attempt, state)) = run else {
        out.steps.push(start(first_attempt(ask.pod, ask.memory, &container.name)));
        return;
    };
    let ContainerPhase::Exited { code, finished_at, .. } = &state.phase else {
        if let Some(condemned) = ask.memory.condemned.get(&state.id) {
            end(&state.id, condemned, ask, out);
        }
        return;
    };
    if ask.memory.replaced.contains(&state.id) {
        out.steps.push(start(attempt + 1));
    } else if repeated(*code) {
        let pause = backoff(ask.memory.pauses(&container.name));
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
        _ => out.force(id, ask.memory, ask.now),
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

    /// Ends a run whose grace is over. One whose hook took all of it is asked first, and has a
    /// moment for that.
    fn force(&mut self, id: &str, memory: &Memory, now: Timestamp) {
        let id = id.to_owned();
        match memory.pre_stops.get(&id) {
            Some(PreStop::Runs) => self.steps.push(Step::Insist { id }),
            Some(PreStop::Over(asked)) if now < after(*asked, AFTER_A_HOOK) => {
                self.wait(after(*asked, AFTER_A_HOOK));
            }
            _ => {
                self.steps.push(Step::Kill { id });
                self.wait(after(now, KILL_AGAIN));
            }
        }
    }

    fn wait(&mut self, at: Timestamp) {
        self.again = Some(self.again.map_or(at, |earlier| earlier.min(at)));
    }
}

/// The `n`th pause in a row: 10 s, doubling to 5 min.
pub(crate) fn backoff(n: u32) -> Duration {
    match n {
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
