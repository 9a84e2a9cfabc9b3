//! What a worker learns of its pod before it decides: which containers run and are probed,
//! how others ended, whether the pod's time is over, and what probes and volumes say.

use std::collections::btree_map::Entry;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use xebec_runtime::{ContainerState, Sandbox};

use crate::eviction;
use crate::pod::machine::{self, Condemned, Failure, PreStop, is_running, is_sidecar, parse_run};
use crate::pod::worker::{Bound, Worker};
use crate::pod::{status, termination};
use crate::probe::{self, Verdict};
use crate::volumes;

/// What is left to a pod that is evicted: it has taken too much already, or there is too little.
const EVICTION_GRACE_SECONDS: i64 = 1;

/// What the API has of a run, if it has this one: an agent that was restarted goes on from
/// there, and no pod loses its place in a Service by it.
fn told<'a>(pod: &'a Pod, uid: &str, run: &str) -> Option<&'a ContainerStatus> {
    let id = status::container_id(uid, run);
    status::statuses(pod).find(|it| status::says_running(it) && it.container_id.as_deref() == Some(&id))
}

impl Worker {
    /// Probes follow the containers that run.
    pub(super) fn follow_probes(&mut self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) {
        let running: Vec<&ContainerState> = sandbox
            .into_iter()
            .filter(|sandbox| sandbox.alive)
            .flat_map(|s| &s.containers)
            .filter(|state| is_running(state))
            .collect();
        let runs = |id: &str| running.iter().any(|state| state.id == id);
        self.readiness.retain(|id, _| runs(id));
        self.memory.condemned.retain(|id, _| runs(id));
        self.memory.started.retain(|id| runs(id));
        self.memory.opening.retain(|id| runs(id));
        self.memory.pre_stops.retain(|id, _| runs(id));
        self.pre_stops.retain(|id, _| runs(id));
        self.probes.keep(runs);
        let Some(spec) = bound.and_then(|bound| bound.pod.spec.as_ref()) else { return };
        let ip = self.address(bound, sandbox);
        for state in running.into_iter().filter(|state| !self.memory.opening.contains(&state.id)) {
            let Some((name, _)) = parse_run(&state.id) else { continue };
            // An init container that is no sidecar has no probes, and is never ready.
            let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
            let container = spec.containers.iter().chain(sidecars).find(|container| container.name == name);
            let Some(container) = container.filter(|_| !self.readiness.contains_key(&state.id)) else {
                continue;
            };
            let unprobed = container.readiness_probe.is_none() && container.startup_probe.is_none();
            let told = bound.and_then(|bound| told(&bound.pod, &self.uid, &state.id));
            let started = told.is_some_and(|told| told.started == Some(true));
            let ready =
                started && (container.readiness_probe.is_none() || told.is_some_and(|told| told.ready));
            self.readiness.insert(state.id.clone(), unprobed || ready);
            if container.startup_probe.is_none() || started {
                self.memory.started.insert(state.id.clone());
            }
            let age = self.agent.clock.now().duration_since(state.started_at);
            let known = probe::Known { started, ready, age: age.try_into().unwrap_or_default() };
            let target = probe::Target {
                runtime: self.agent.runtime.clone(),
                pod_uid: self.uid.clone(),
                run: state.id.clone(),
                ip,
            };
            self.probes.start(target, container, known, self.verdicts.clone());
        }
    }

    /// Remembers how often containers ran, and what runs said of their end for as long as
    /// they are known.
    pub(super) fn follow_ends(&mut self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) {
        let runs: Vec<&ContainerState> =
            sandbox.into_iter().flat_map(|sandbox| &sandbox.containers).collect();
        let is_known = |id: &str| runs.iter().any(|state| state.id == id);
        self.memory.messages.retain(|id, _| is_known(id));
        self.memory.replaced.retain(|id| is_known(id));
        for (container, attempt) in runs.iter().filter_map(|state| parse_run(&state.id)) {
            let newest = self.memory.newest.entry(container.to_owned()).or_default();
            *newest = attempt.max(*newest);
        }
        self.memory.count_ends(sandbox);
        let Some(bound) = bound else { return };
        for state in runs.into_iter().filter(|state| !is_running(state)) {
            if !self.memory.messages.contains_key(&state.id) {
                let message = termination::message(&self.agent, bound, state);
                self.memory.messages.insert(state.id.clone(), message);
            }
        }
    }

    /// A run of another image than its container has by now must end.
    pub(super) fn follow_definition(&mut self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) {
        let (Some(bound), Some(sandbox)) = (bound, sandbox.filter(|sandbox| sandbox.alive)) else { return };
        let Some(spec) = &bound.pod.spec else { return };
        let is_over = self.memory.failure.is_some() || status::in_last_phase(&bound.pod);
        if is_over || bound.object.is_terminating() {
            return;
        }
        let sidecars = spec.init_containers.iter().flatten().filter(|container| is_sidecar(container));
        for container in spec.containers.iter().chain(sidecars) {
            let run = machine::newest(Some(sandbox), &container.name);
            let Some((_, state)) = run.filter(|(_, state)| machine::is_outdated(container, state)) else {
                continue;
            };
            if !self.memory.replaced.insert(state.id.clone()) {
                continue;
            }
            let name = &container.name;
            let message = format!("Container {name} definition changed, will be restarted");
            self.agent.events.normal(&bound.object, name, "Killing", message);
            let condemned = Condemned { grace_seconds: None, asked: None };
            self.memory.condemned.entry(state.id.clone()).or_insert(condemned);
        }
    }

    /// A pod that comes while the node is short of something is refused, at once or not at all:
    /// what was taken in before, also by an earlier agent, stays until it is evicted.
    pub(super) fn follow_pressure(&mut self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) {
        if std::mem::replace(&mut self.judged, true) {
            return;
        }
        let Some(bound) = bound.filter(|bound| !bound.object.is_terminating()) else { return };
        let was_let_in = bound.pod.status.as_ref().is_some_and(|status| status.start_time.is_some());
        if was_let_in || sandbox.is_some() || status::in_last_phase(&bound.pod) {
            return;
        }
        let pressure = *self.agent.pressure.borrow();
        let Some(why) = eviction::refusal(&bound.object, pressure) else { return };
        self.agent.events.warning(&bound.object, "", "Evicted", why.clone());
        let message = format!("Pod was rejected: {why}");
        self.memory.failure =
            Some(Failure { reason: "Evicted", message, grace_seconds: None, is_disruption: false });
    }

    /// A pod that is over its `activeDeadlineSeconds` fails.
    pub(super) fn follow_deadline(&mut self, bound: Option<&Bound>, now: Timestamp) {
        let Some(bound) = bound.filter(|_| self.memory.failure.is_none()) else { return };
        if status::in_last_phase(&bound.pod) || machine::deadline(&bound.pod).is_none_or(|end| now < end) {
            return;
        }
        let message = "Pod was active on the node longer than the specified deadline".to_owned();
        self.agent.events.normal(&bound.object, "", "DeadlineExceeded", message.clone());
        self.memory.failure =
            Some(Failure { reason: "DeadlineExceeded", message, grace_seconds: None, is_disruption: false });
    }

    /// The volumes of a finished pod go once nothing is left that has them mounted, also
    /// where an agent before this one stopped it.
    pub(super) fn follow_volumes(&mut self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) {
        let stopped = sandbox.is_some_and(|sandbox| sandbox.stopped);
        if stopped && !self.cleared && bound.is_some_and(|bound| machine::is_told(&bound.pod)) {
            volumes::clear(&self.agent, &self.uid);
            self.cleared = true;
        }
    }

    pub(super) fn hear(&mut self, bound: Option<&Bound>, verdict: Verdict) {
        let container = |run: &str| parse_run(run).map_or_else(String::new, |(name, _)| name.to_owned());
        match verdict {
            Verdict::Opened { run } => {
                self.memory.opening.remove(&run);
            }
            Verdict::Signalled { run } => {
                let now = self.agent.clock.now();
                if let Some(pre_stop) = self.memory.pre_stops.get_mut(&run) {
                    *pre_stop = PreStop::Over(now);
                }
            }
            Verdict::Started { run } => {
                if self.readiness.contains_key(&run) {
                    self.memory.started.insert(run);
                }
            }
            Verdict::Ready { run, ready } => {
                if let Some(known) = self.readiness.get_mut(&run) {
                    *known = ready;
                }
            }
            Verdict::Unhealthy { run, why } => {
                if let Some(bound) = bound {
                    self.agent.events.warning(&bound.object, &container(&run), "Unhealthy", why);
                }
            }
            Verdict::Condemned { run, failed, grace_seconds } => {
                self.condemn(bound, run, failed, grace_seconds);
            }
            Verdict::Evicted { message, is_disruption } => self.evict(bound, message, is_disruption),
        }
    }

    /// A run that failed something must end, unless its whole pod does.
    fn condemn(&mut self, bound: Option<&Bound>, run: String, failed: &str, grace_seconds: Option<i64>) {
        let Some(bound) = bound.filter(|bound| !bound.object.is_terminating()) else { return };
        if self.memory.failure.is_some() || status::in_last_phase(&bound.pod) {
            return;
        }
        let Some((name, _)) = parse_run(&run) else { return };
        let name = name.to_owned();
        // One that ends for another reason already has been asked, and has its grace.
        let Entry::Vacant(entry) = self.memory.condemned.entry(run) else { return };
        entry.insert(Condemned { grace_seconds, asked: None });
        let is_followed = machine::restarts_on_failure(&bound.pod, &name);
        let next = if is_followed { ", will be restarted" } else { "" };
        let message = format!("Container {name} failed {failed}{next}");
        self.agent.events.normal(&bound.object, &name, "Killing", message);
    }

    fn evict(&mut self, bound: Option<&Bound>, message: String, is_disruption: bool) {
        // One that has failed already needs no second reason.
        let is_over = self.memory.failure.is_some() || bound.is_some_and(|it| status::in_last_phase(&it.pod));
        if is_over {
            return;
        }
        if let Some(bound) = bound {
            self.agent.events.warning(&bound.object, "", "Evicted", message.clone());
        }
        let grace_seconds = Some(EVICTION_GRACE_SECONDS);
        self.memory.failure = Some(Failure { reason: "Evicted", message, grace_seconds, is_disruption });
    }
}
