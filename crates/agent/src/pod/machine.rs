//! What to do next with a pod: a pure function of what the API wants, what the runtime
//! has, and the time. The worker executes the steps and asks again.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use xebec_runtime::{ContainerPhase, ContainerState, Sandbox};

/// The first pause before a restart, and the longest.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// A container that ran this long starts without a pause again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);
/// Seconds between SIGTERM and SIGKILL when the pod does not say.
const GRACE_SECONDS: i64 = 30;

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
    /// Runs that a liveness or startup probe condemned.
    pub(crate) condemned: Vec<String>,
    /// When the last start of a container failed: nothing exists that would say so.
    pub(crate) failed_starts: Vec<FailedStart>,
}

/// A start that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedStart {
    pub(crate) container: String,
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Nothing would change by counting it as a run (the image is not there).
    pub(crate) waits: bool,
    /// How many in a row.
    pub(crate) times: u32,
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
    pod.metadata.deletion_grace_period_seconds.unwrap_or(GRACE_SECONDS)
}

fn ending(grace: i64, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    let Some(sandbox) = sandbox else {
        return Next { steps: vec![Step::Forget], again: None };
    };
    let alive: Vec<&ContainerState> = sandbox.containers.iter().filter(|c| is_running(c)).collect();
    if alive.is_empty() {
        return Next { steps: vec![Step::RemoveSandbox, Step::Forget], again: None };
    }
    let ids = alive.iter().map(|state| state.id.clone());
    match memory.terminating_since {
        None if grace > 0 => {
            let steps = ids.map(|id| Step::Terminate { id }).collect();
            Next { steps, again: Some(after(now, Duration::from_secs(grace.unsigned_abs()))) }
        }
        Some(since) if now < after(since, Duration::from_secs(grace.unsigned_abs())) => {
            Next { steps: Vec::new(), again: Some(after(since, Duration::from_secs(grace.unsigned_abs()))) }
        }
        _ => {
            Next { steps: ids.map(|id| Step::Kill { id }).collect(), again: Some(after(now, FIRST_BACKOFF)) }
        }
    }
}

fn running(pod: &Pod, sandbox: Option<&Sandbox>, memory: &Memory, now: Timestamp) -> Next {
    let Some(spec) = &pod.spec else { return Next::default() };
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let Some(sandbox) = sandbox.filter(|sandbox| sandbox.alive) else {
        return match sandbox {
            Some(_) => Next { steps: vec![Step::RemoveSandbox, Step::RunSandbox], again: None },
            None => Next { steps: vec![Step::RunSandbox], again: None },
        };
    };
    let mut out = Next::default();
    for container in spec.init_containers.iter().flatten() {
        let done =
            newest(Some(sandbox), &container.name).is_some_and(|(_, state)| exit_code(state) == Some(0));
        if !done {
            let policy = if policy == "Never" { "Never" } else { "OnFailure" };
            one(container, policy, sandbox, memory, now, &mut out);
            return out;
        }
    }
    for container in &spec.containers {
        one(container, policy, sandbox, memory, now, &mut out);
    }
    out
}

/// One container's next step.
fn one(
    container: &Container,
    policy: &str,
    sandbox: &Sandbox,
    memory: &Memory,
    now: Timestamp,
    out: &mut Next,
) {
    let failed = memory.failed_starts.iter().rev().find(|failed| failed.container == container.name);
    let run = newest(Some(sandbox), &container.name);
    if let Some(failed) = failed.filter(|failed| run.is_none_or(|(attempt, _)| failed.attempt > attempt)) {
        let at = after(failed.at, backoff(failed.times));
        if now < at {
            out.wait(at);
        } else {
            let attempt = if failed.waits { failed.attempt } else { failed.attempt + 1 };
            out.steps.push(Step::Start { container: container.name.clone(), attempt });
        }
        return;
    }
    let Some((attempt, state)) = run else {
        out.steps.push(Step::Start { container: container.name.clone(), attempt: 0 });
        return;
    };
    let ContainerPhase::Exited { code, finished_at, .. } = &state.phase else {
        if memory.condemned.contains(&state.id) {
            out.steps.push(Step::Kill { id: state.id.clone() });
        }
        return;
    };
    let again = match policy {
        "Always" => true,
        "OnFailure" => *code != 0,
        _ => false,
    };
    if !again {
        return;
    }
    let ran = finished_at.duration_since(state.started_at).unsigned_abs();
    let pause = if ran >= FORGIVEN_AFTER { Duration::ZERO } else { backoff(attempt) };
    let at = after(*finished_at, pause);
    if now < at {
        out.wait(at);
    } else {
        out.steps.push(Step::Start { container: container.name.clone(), attempt: attempt + 1 });
    }
}

impl Next {
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
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(policy: &str) -> Pod {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"restartPolicy": policy, "containers": [{"name": "web", "image": "x"}]},
        }))
        .expect("a pod")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn sandbox(runs: &[(u32, ContainerPhase)]) -> Sandbox {
        let containers = runs.iter().map(|(attempt, phase)| ContainerState {
            id: run_id("web", *attempt),
            image: "x".into(),
            image_digest: String::new(),
            pid: 1,
            started_at: at(100),
            phase: phase.clone(),
        });
        Sandbox {
            pod_uid: "u".into(),
            namespace: "default".into(),
            name: "a".into(),
            ips: vec![],
            pid: 1,
            alive: true,
            containers: containers.collect(),
        }
    }

    fn exited(code: i32, second: i64) -> ContainerPhase {
        ContainerPhase::Exited { code, signal: None, finished_at: at(second), oom_killed: false }
    }

    fn start(attempt: u32) -> Vec<Step> {
        vec![Step::Start { container: "web".into(), attempt }]
    }

    #[test]
    fn a_pod_starts_step_by_step() {
        let memory = Memory::default();
        assert_eq!(next(Some(&pod("Always")), None, &memory, at(0)).steps, [Step::RunSandbox]);
        assert_eq!(next(Some(&pod("Always")), Some(&sandbox(&[])), &memory, at(0)).steps, start(0));
        let up = sandbox(&[(0, ContainerPhase::Running)]);
        assert_eq!(next(Some(&pod("Always")), Some(&up), &memory, at(0)), Next::default());
    }

    #[test]
    fn restarts_follow_the_policy_and_the_pauses() {
        let memory = Memory::default();
        let steps =
            |policy, runs: &[_], now| next(Some(&pod(policy)), Some(&sandbox(runs)), &memory, at(now));
        assert_eq!(steps("Always", &[(0, exited(0, 110))], 110).steps, start(1));
        assert_eq!(steps("OnFailure", &[(0, exited(0, 110))], 110), Next::default());
        assert_eq!(steps("Never", &[(0, exited(1, 110))], 110), Next::default());
        let early = steps("Always", &[(1, exited(1, 110))], 115);
        assert_eq!(early, Next { steps: vec![], again: Some(at(120)) });
        assert_eq!(steps("Always", &[(1, exited(1, 110))], 120).steps, start(2));
        assert_eq!(steps("Always", &[(3, exited(1, 800))], 800).steps, start(4), "it ran for ten minutes");
        assert_eq!((backoff(2).as_secs(), backoff(5).as_secs(), backoff(50).as_secs()), (20, 160, 300));
    }

    #[test]
    fn an_end_asks_first() {
        let mut leaving = pod("Always");
        leaving.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
        leaving.metadata.deletion_grace_period_seconds = Some(20);
        let up = sandbox(&[(0, ContainerPhase::Running)]);
        let mut memory = Memory::default();
        let id = run_id("web", 0);
        let first = next(Some(&leaving), Some(&up), &memory, at(200));
        assert_eq!(first, Next { steps: vec![Step::Terminate { id: id.clone() }], again: Some(at(220)) });
        memory.terminating_since = Some(at(200));
        assert_eq!(next(Some(&leaving), Some(&up), &memory, at(210)).steps, []);
        assert_eq!(next(Some(&leaving), Some(&up), &memory, at(220)).steps, [Step::Kill { id }]);
        let down = sandbox(&[(0, exited(0, 205))]);
        assert_eq!(
            next(Some(&leaving), Some(&down), &memory, at(206)).steps,
            [Step::RemoveSandbox, Step::Forget]
        );
        assert_eq!(next(None, None, &memory, at(0)).steps, [Step::Forget]);
    }

    #[test]
    fn a_failed_start_is_tried_again_later() {
        let failed = |waits, times| FailedStart {
            container: "web".into(),
            attempt: 0,
            at: at(100),
            reason: "ErrImageNeverPull".into(),
            message: String::new(),
            waits,
            times,
        };
        let memory = Memory { failed_starts: vec![failed(true, 1)], ..Memory::default() };
        let early = next(Some(&pod("Always")), Some(&sandbox(&[])), &memory, at(105));
        assert_eq!(early, Next { steps: vec![], again: Some(at(110)) });
        assert_eq!(next(Some(&pod("Always")), Some(&sandbox(&[])), &memory, at(110)).steps, start(0));
        let memory = Memory { failed_starts: vec![failed(false, 1)], ..Memory::default() };
        assert_eq!(next(Some(&pod("Always")), Some(&sandbox(&[])), &memory, at(110)).steps, start(1));
    }
}
