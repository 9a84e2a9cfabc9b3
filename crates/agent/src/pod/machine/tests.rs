//! The machine's decisions, one by one.

use std::collections::BTreeMap;

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
        stopped: false,
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
fn what_follows_a_hook_at_the_start_waits_for_it() {
    let hook = json!({"postStart": {"sleep": {"seconds": 9}}});
    let pod: Pod = serde_json::from_value(json!({"spec": {"restartPolicy": "Always", "containers": [
        {"name": "web", "image": "x", "lifecycle": hook}, {"name": "next", "image": "x"},
    ]}}))
    .expect("a pod");
    let steps = |sandbox: &Sandbox, memory: &Memory| next(Some(&pod), Some(sandbox), memory, at(110)).steps;
    let mut memory = Memory::default();
    assert_eq!(steps(&sandbox(&[]), &memory), start(0), "the other one follows");
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    memory.opening.insert(run_id("web", 0));
    assert_eq!(steps(&up, &memory), []);
    memory.opening.clear();
    assert_eq!(steps(&up, &memory), [Step::Start { container: "next".into(), attempt: 0 }]);
}

#[test]
fn restarts_follow_the_policy_and_the_pauses() {
    let steps = |policy, runs: &[_], now| {
        let (sandbox, mut memory) = (sandbox(runs), Memory::default());
        memory.count_ends(Some(&sandbox));
        next(Some(&pod(policy)), Some(&sandbox), &memory, at(now))
    };
    assert_eq!(steps("Always", &[(0, exited(0, 110))], 110).steps, start(1));
    assert_eq!(steps("OnFailure", &[(0, exited(0, 110))], 110), Next::default());
    assert_eq!(steps("Never", &[(0, exited(1, 110))], 110), Next::default());
    let two = [(0, exited(1, 105)), (1, exited(1, 110))];
    let early = steps("Always", &two, 115);
    assert_eq!(early, Next { steps: vec![], again: Some(at(120)) });
    assert_eq!(steps("Always", &two, 120).steps, start(2));
    let forgiven = [(2, exited(1, 110)), (3, exited(1, 800))];
    assert_eq!(steps("Always", &forgiven, 800).steps, start(4), "it ran for ten minutes");
    assert_eq!((backoff(2).as_secs(), backoff(5).as_secs(), backoff(50).as_secs()), (20, 160, 300));
}

#[test]
fn pauses_begin_anew_after_a_long_run() {
    let mut memory = Memory::default();
    let mut after = |attempt, end| {
        memory.count_ends(Some(&sandbox(&[(attempt, exited(1, end))])));
        memory.count_ends(Some(&sandbox(&[(attempt, exited(1, end))])));
        memory.pauses("web")
    };
    // Each begins at 100: the fourth runs for ten minutes.
    let ends = [110, 110, 110, 700, 110, 110, 110];
    let pauses: Vec<u32> = (0..).zip(ends).map(|(attempt, end)| after(attempt, end)).collect();
    assert_eq!(pauses, [0, 1, 2, 0, 1, 2, 3], "the long run is followed at once, as a first one is");
    assert_eq!(memory.pauses("other"), 0);
    memory.replaced.insert(run_id("web", 7));
    memory.count_ends(Some(&sandbox(&[(7, exited(143, 110)), (8, exited(1, 110))])));
    assert_eq!(memory.pauses("web"), 0, "of its new image it was the first run");
}

#[test]
fn a_run_that_was_replaced_is_followed_at_once_whatever_the_policy() {
    let down = sandbox(&[(0, exited(143, 110))]);
    for policy in ["Always", "OnFailure", "Never"] {
        let mut memory = Memory { replaced: [run_id("web", 0)].into(), ..Memory::default() };
        memory.count_ends(Some(&down));
        assert_eq!(next(Some(&pod(policy)), Some(&down), &memory, at(110)).steps, start(1), "{policy}");
    }
}

#[test]
fn a_run_is_outdated_while_it_runs_another_image() {
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    let mut spec = pod("Always").spec.expect("a spec");
    assert!(!is_outdated(&spec.containers[0], &up.containers[0]));
    spec.containers[0].image = Some("y".into());
    assert!(is_outdated(&spec.containers[0], &up.containers[0]));
    assert!(!is_outdated(&spec.containers[0], &sandbox(&[(0, exited(0, 110))]).containers[0]));
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
    memory.asked.insert(id.clone());
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
fn a_run_whose_hook_took_all_its_grace_is_asked_before_it_is_killed() {
    let id = run_id("web", 0);
    let mut leaving = pod("Always");
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    leaving.metadata.deletion_grace_period_seconds = Some(20);
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    let steps = |pod: Option<&Pod>, pre_stop, now| {
        let pre_stops = BTreeMap::from([(id.clone(), pre_stop)]);
        let memory = Memory {
            terminating_since: Some(at(200)),
            asked: [id.clone()].into(),
            pre_stops,
            ..Memory::default()
        };
        next(pod, Some(&up), &memory, at(now)).steps
    };
    let (insist, kill) = (Step::Insist { id: id.clone() }, Step::Kill { id: id.clone() });
    assert_eq!(steps(Some(&leaving), PreStop::Runs, 219), []);
    assert_eq!(steps(Some(&leaving), PreStop::Runs, 220), [insist]);
    assert_eq!(steps(Some(&leaving), PreStop::Over(at(220)), 221), []);
    assert_eq!(steps(Some(&leaving), PreStop::Over(at(220)), 222), std::slice::from_ref(&kill));
    assert_eq!(steps(Some(&leaving), PreStop::Over(at(210)), 220), std::slice::from_ref(&kill));
    assert_eq!(steps(None, PreStop::Runs, 220), [kill], "by force");
}

#[test]
fn a_failed_start_is_tried_again_later() {
    let failed = |exit_code, times| {
        let message = String::new();
        let start = FailedStart { attempt: 0, at: at(100), reason: "Error", message, exit_code, times };
        Memory { failed_starts: BTreeMap::from([("web".into(), start)]), ..Memory::default() }
    };
    let steps = |policy, memory: &Memory, now| next(Some(&pod(policy)), Some(&sandbox(&[])), memory, at(now));
    let wait = |second| Next { steps: vec![], again: Some(at(second)) };
    let absent = failed(None, 7);
    assert_eq!(steps("Never", &absent, 104), wait(105));
    assert_eq!(steps("Never", &absent, 105).steps, start(0), "it is the same run");
    let broken = failed(Some(127), 2);
    assert_eq!(steps("Always", &broken, 119), wait(120));
    assert_eq!(steps("OnFailure", &broken, 120).steps, start(1), "it counts as a run");
    assert_eq!(steps("Never", &broken, 999), Next::default());
}

#[test]
fn a_condemned_run_is_asked_first() {
    let id = run_id("web", 0);
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    let steps = |grace_seconds, asked: Option<i64>, now| {
        let condemned = Condemned { grace_seconds, asked: asked.map(at) };
        let memory = Memory { condemned: BTreeMap::from([(id.clone(), condemned)]), ..Memory::default() };
        next(Some(&pod("Always")), Some(&up), &memory, at(now))
    };
    assert_eq!(steps(None, None, 200).steps, [Step::Terminate { id: id.clone() }]);
    assert_eq!(steps(None, Some(200), 229).again, Some(at(230)), "the pod's own grace");
    assert_eq!(steps(Some(5), Some(200), 205).steps, [Step::Kill { id: id.clone() }]);
    assert_eq!(steps(Some(0), None, 200).steps, [Step::Kill { id: id.clone() }]);
}

#[test]
fn nothing_starts_in_a_last_phase() {
    let mut done = pod("Always");
    done.status = serde_json::from_value(json!({"phase": "Failed"})).expect("a status");
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    let id = run_id("web", 0);
    let memory = Memory::default();
    assert_eq!(next(Some(&done), None, &memory, at(0)), Next::default());
    assert_eq!(next(Some(&done), Some(&up), &memory, at(0)).steps, [Step::Terminate { id }]);
}

#[test]
fn a_finished_pod_gives_back_what_it_holds_once_its_end_is_known() {
    let steps = |pod: &Pod, sandbox: &Sandbox| next(Some(pod), Some(sandbox), &Memory::default(), at(9));
    let stop = Next { steps: vec![Step::StopSandbox], again: None };
    let mut down = sandbox(&[(0, exited(1, 5))]);
    let mut done = pod("Never");
    assert_eq!(steps(&done, &down), Next::default(), "nobody knows yet: after a restart it would run again");
    let mut said = |status: serde_json::Value| {
        let status = json!({"phase": "Failed", "containerStatuses": [status]});
        done.status = serde_json::from_value(status).expect("a status");
        done.clone()
    };
    let known = |state| json!({"name": "web", "restartCount": 0, "image": "x", "imageID": "", "ready": false, "state": state});
    let running = said(known(json!({"running": {"startedAt": "1970-01-01T00:01:40Z"}})));
    assert_eq!(steps(&running, &down), Next::default(), "how it ended is not known yet");
    let ended = said(known(json!({"terminated": {"exitCode": 1}})));
    assert_eq!(steps(&ended, &down), stop);
    down.alive = false;
    assert_eq!(steps(&ended, &down), stop, "also where its shim died");
    down.stopped = true;
    assert_eq!(steps(&ended, &down), Next::default());
    let mut leaving = ended;
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    assert_eq!(steps(&leaving, &down).steps, [Step::RemoveSandbox, Step::Forget]);
}

#[test]
fn a_pod_that_its_node_failed_only_ends() {
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    let mut memory = Memory { failure: Some(evicted()), ..Memory::default() };
    let id = run_id("web", 0);
    let asked = next(Some(&pod("Always")), Some(&up), &memory, at(100));
    assert_eq!(asked, Next { steps: vec![Step::Terminate { id: id.clone() }], again: Some(at(101)) });
    memory.terminating_since = Some(at(100));
    memory.asked.insert(id.clone());
    assert_eq!(next(Some(&pod("Always")), Some(&up), &memory, at(101)).steps, [Step::Kill { id }]);
    let down = sandbox(&[(0, exited(143, 101))]);
    assert_eq!(next(Some(&pod("Always")), Some(&down), &memory, at(101)), Next::default());
    assert_eq!(next(Some(&pod("Always")), None, &memory, at(101)), Next::default(), "it is not even begun");
}

fn evicted() -> Failure {
    Failure { reason: "Evicted", message: String::new(), grace_seconds: Some(1), is_disruption: true }
}

#[test]
fn a_pod_that_is_evicted_while_it_ends_has_no_more_than_the_evictions_grace() {
    let mut leaving = pod("Always");
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    leaving.metadata.deletion_grace_period_seconds = Some(300);
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    let id = run_id("web", 0);
    let mut memory =
        Memory { terminating_since: Some(at(200)), asked: [id.clone()].into(), ..Memory::default() };
    let waits = next(Some(&leaving), Some(&up), &memory, at(210));
    assert_eq!(waits, Next { steps: vec![], again: Some(at(500)) });
    memory.failure = Some(evicted());
    assert_eq!(next(Some(&leaving), Some(&up), &memory, at(210)).steps, [Step::Kill { id: id.clone() }]);
    leaving.metadata.deletion_grace_period_seconds = Some(0);
    memory = Memory { failure: Some(evicted()), ..Memory::default() };
    assert_eq!(next(Some(&leaving), Some(&up), &memory, at(210)).steps, [Step::Kill { id }], "it had none");
}

#[test]
fn a_deadline_is_waited_for() {
    let mut limited = pod("Always");
    limited.spec.as_mut().expect("a spec").active_deadline_seconds = Some(60);
    limited.status = serde_json::from_value(json!({"startTime": "1970-01-01T00:01:40Z"})).expect("a status");
    let up = sandbox(&[(0, ContainerPhase::Running)]);
    assert_eq!(next(Some(&limited), Some(&up), &Memory::default(), at(110)).again, Some(at(160)));
    assert_eq!(deadline(&limited), Some(at(160)));
}

#[test]
fn a_sandbox_made_anew_goes_on_with_the_count() {
    let mut known = pod("Always");
    let status = json!({"containerStatuses": [{"name": "web", "restartCount": 4, "containerID": "xebec://u/web.4",
        "image": "x", "imageID": "", "ready": true}]});
    known.status = serde_json::from_value(status).expect("a status");
    assert_eq!(next(Some(&known), Some(&sandbox(&[])), &Memory::default(), at(0)).steps, start(5));
}
