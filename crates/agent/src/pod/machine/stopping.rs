//! How a pod's containers end when the pod does: the main ones are asked first, all at
//! once; its sidecars, which serve them, follow one by one, the last first. One grace
//! period is for all of them, and when it is over whatever still runs is killed, at most a
//! moment after it was asked.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use xebec_runtime::{ContainerState, Sandbox};

use super::{KILL_AGAIN, Memory, Next, Step, after, is_running, is_sidecar, parse_run};

/// Ends every container that runs: asks first.
pub(super) fn stopping(
    pod: Option<&Pod>,
    grace: i64,
    sandbox: &Sandbox,
    memory: &Memory,
    now: Timestamp,
) -> Next {
    let running: Vec<&ContainerState> = sandbox.containers.iter().filter(|state| is_running(state)).collect();
    let grace = Duration::from_secs(grace.max(0).unsigned_abs());
    let end = after(memory.terminating_since.unwrap_or(now), grace);
    if now >= end {
        let mut out = Next::default();
        for state in &running {
            let id = state.id.clone();
            let was_asked = memory.asked.contains(&id) || memory.pre_stops.contains_key(&id);
            match pod {
                // Whoever deletes by force waits for nothing.
                None => out.steps.push(Step::Kill { id }),
                // A sidecar whose turn has not come.
                Some(_) if !was_asked && !grace.is_zero() => out.steps.push(Step::Insist { id }),
                Some(_) => out.force(&id, memory, now),
            }
        }
        out.wait(after(now, KILL_AGAIN));
        return out;
    }
    let turn = turn(pod, &running);
    let unasked = turn.into_iter().filter(|state| !memory.asked.contains(&state.id));
    Next { steps: unasked.map(|state| Step::Terminate { id: state.id.clone() }).collect(), again: Some(end) }
}

/// Those whose turn it is: every main and init container, or else the last sidecar.
fn turn<'a>(pod: Option<&Pod>, running: &[&'a ContainerState]) -> Vec<&'a ContainerState> {
    let place = |state: &ContainerState| sidecar_place(pod?, parse_run(&state.id)?.0);
    let others: Vec<&ContainerState> =
        running.iter().filter(|state| place(state).is_none()).copied().collect();
    if !others.is_empty() {
        return others;
    }
    running.iter().max_by_key(|state| place(state)).copied().into_iter().collect()
}

/// A sidecar's place among the init containers; nothing for any other container.
fn sidecar_place(pod: &Pod, name: &str) -> Option<usize> {
    let init = pod.spec.as_ref()?.init_containers.as_ref()?;
    init.iter().position(|container| container.name == name && is_sidecar(container))
}
