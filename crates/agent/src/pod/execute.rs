//! Executes the machine's steps on the runtime, and tells of what was done.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::LifecycleHandler;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{DeleteParams, Reason};
use xebec_runtime::RuntimeError;

use crate::pod::containers::{self, NotStarted};
use crate::pod::hooks::Hooked;
use crate::pod::leaving;
use crate::pod::machine::{FailedStart, PreStop, Step, parse_run, run_id};
use crate::pod::reporter::Reporter;
use crate::pod::worker::{Bound, Worker};
use crate::pod::{sandboxes, termination};
use crate::probe::Verdict;
use crate::run::Agent;
use crate::volumes;

/// A hook that hangs does so for no longer; a `preStop` has its pod's grace at most.
const LONGEST_HOOK: Duration = Duration::from_secs(3600);

/// One that ended by itself meanwhile needs no signal.
async fn signal(agent: &Agent, uid: &str, id: &str, number: i32) -> Result<(), RuntimeError> {
    match agent.runtime.signal_container(uid, id, number).await {
        Err(RuntimeError::NoContainer { .. }) => Ok(()),
        outcome => outcome,
    }
}

async fn pre_stop(hooked: &Hooked, hook: &LifecycleHandler, object: &Object) {
    if let Err(why) = hooked.call(hook, LONGEST_HOOK).await {
        let (name, message) = (&hooked.container.name, format!("PreStopHook failed: {why}"));
        hooked.agent.events.warning(object, name, "FailedPreStopHook", message);
    }
}

impl Worker {
    /// Executes one step; `true` when nothing is left to do for this pod.
    pub(super) async fn execute(&mut self, step: &Step, bound: Option<&Bound>) -> Result<bool, RuntimeError> {
        match (step, bound) {
            (Step::RunSandbox, Some(bound)) => {
                let prepared = volumes::prepare(&self.agent, bound);
                prepared.map_err(|error| RuntimeError::io("mounting an emptyDir in memory", error))?;
                let spec = sandboxes::spec(&self.agent, bound);
                self.agent.runtime.run_sandbox(spec).await?;
            }
            (Step::Start { container, attempt }, Some(bound)) => self.start(bound, container, *attempt).await,
            (Step::Terminate { id }, _) => {
                if self.note_end(bound, id) {
                    self.terminate(bound, id).await?;
                }
            }
            (Step::Insist { id }, _) => {
                if let Some(hook) = self.pre_stops.remove(id) {
                    hook.abort();
                }
                self.memory.pre_stops.insert(id.clone(), PreStop::Over(self.agent.clock.now()));
                self.signal(id, libc::SIGTERM).await?;
            }
            (Step::Kill { id }, _) => self.signal(id, libc::SIGKILL).await?,
            (Step::StopSandbox, _) => {
                self.stop_refresher().await;
                self.agent.runtime.stop_sandbox(&self.uid).await?;
            }
            (Step::RemoveSandbox, _) => self.agent.runtime.remove_sandbox(&self.uid).await?,
            (Step::Forget, _) => {
                self.stop_refresher().await;
                volumes::remove(&self.agent, &self.uid);
                return match bound {
                    Some(bound) => self.forget(bound).await,
                    None => Ok(true),
                };
            }
            (Step::RunSandbox | Step::Start { .. }, None) => {}
        }
        Ok(false)
    }

    /// Remembers when a run, or the whole pod, was asked to end. Whether the run is to be
    /// asked now: one that was condemned before its pod's end has been asked already.
    fn note_end(&mut self, bound: Option<&Bound>, id: &str) -> bool {
        let now = self.agent.clock.now();
        let condemned = self.memory.condemned.get_mut(id);
        let is_asked = condemned.as_ref().is_some_and(|condemned| condemned.asked.is_some());
        if let Some(condemned) = condemned.filter(|_| !is_asked) {
            condemned.asked = Some(now);
            return true;
        }
        self.memory.terminating_since.get_or_insert(now);
        self.memory.asked.insert(id.to_owned());
        if let (Some(bound), Some((container, _))) = (bound, parse_run(id)) {
            let message = format!("Stopping container {container}");
            self.agent.events.normal(&bound.object, container, "Killing", message);
        }
        !is_asked
    }

    async fn signal(&self, id: &str, number: i32) -> Result<(), RuntimeError> {
        signal(&self.agent, &self.uid, id, number).await
    }

    /// Asks a run to end, after its `preStop` and once no Service leads to it any more. Its
    /// grace runs meanwhile.
    async fn terminate(&mut self, bound: Option<&Bound>, id: &str) -> Result<(), RuntimeError> {
        let head_start = bound.map_or(Duration::ZERO, |bound| leaving::head_start(&self.agent, bound));
        let hooked = self.hooked(bound, id).await;
        let hook = hooked.and_then(|it| Some((it.clone(), it.pre_stop()?)));
        if head_start.is_zero() && hook.is_none() {
            return self.signal(id, libc::SIGTERM).await;
        }
        let (agent, uid, run) = (self.agent.clone(), self.uid.clone(), id.to_owned());
        let (object, verdicts) = (bound.map(|bound| bound.object.clone()), self.verdicts.clone());
        let task = self.hooks.spawn(async move {
            let pre_stop = async {
                if let (Some((hooked, hook)), Some(object)) = (hook, object) {
                    pre_stop(&hooked, &hook, &object).await;
                }
            };
            tokio::join!(tokio::time::sleep(head_start), pre_stop);
            if let Err(error) = signal(&agent, &uid, &run, libc::SIGTERM).await {
                tracing::warn!(%error, run, "not asked to end; it is killed when its grace is over");
            }
            // A worker that is gone needs no verdict.
            let _ = verdicts.send(Verdict::Signalled { run }).await;
        });
        self.pre_stops.insert(id.to_owned(), task);
        self.memory.pre_stops.insert(id.to_owned(), PreStop::Runs);
        Ok(())
    }

    /// Runs the `postStart` of a run, which counts as running once that is over; when it
    /// fails, the run ends.
    async fn post_start(&mut self, bound: &Bound, id: &str) {
        let hooked = self.hooked(Some(bound), id).await;
        let Some((hooked, hook)) = hooked.and_then(|it| Some((it.clone(), it.post_start()?))) else { return };
        let (object, verdicts) = (bound.object.clone(), self.verdicts.clone());
        self.memory.opening.insert(id.to_owned());
        self.hooks.spawn(async move {
            let verdict = match hooked.call(&hook, LONGEST_HOOK).await {
                Ok(()) => Verdict::Opened { run: hooked.run },
                Err(why) => {
                    let (name, message) = (&hooked.container.name, format!("PostStartHook failed: {why}"));
                    hooked.agent.events.warning(&object, name, "FailedPostStartHook", message);
                    Verdict::Condemned { run: hooked.run, failed: "its postStart hook", grace_seconds: None }
                }
            };
            // A worker that is gone needs no verdict.
            let _ = verdicts.send(verdict).await;
        });
    }

    async fn hooked(&self, bound: Option<&Bound>, id: &str) -> Option<Hooked> {
        let container = containers::find(&bound?.pod, parse_run(id)?.0)?.clone();
        container.lifecycle.as_ref()?;
        let ip = self.address(bound, self.sandbox().await.ok()?.as_ref());
        Some(Hooked {
            agent: self.agent.clone(),
            pod_uid: self.uid.clone(),
            run: id.to_owned(),
            container,
            ip,
        })
    }

    /// Starts a run; a start that fails is remembered, and tried again by the machine.
    async fn start(&mut self, bound: &Bound, container: &str, attempt: u32) {
        let Err(why) = self.try_start(bound, container, attempt).await else {
            self.memory.failed_starts.remove(container);
            self.sweep(bound, container, attempt).await;
            let events = &self.agent.events;
            events.normal(&bound.object, container, "Created", format!("Created container: {container}"));
            events.normal(&bound.object, container, "Started", format!("Started container {container}"));
            self.post_start(bound, &run_id(container, attempt)).await;
            return;
        };
        tracing::warn!(pod = bound.object.name(), container, reason = why.reason, why.message, "not started");
        for (reason, message) in why.events() {
            self.agent.events.warning(&bound.object, container, reason, message);
        }
        let times = self.memory.failed_starts.get(container).map_or(0, |failed| failed.times);
        let failed = FailedStart {
            attempt,
            at: self.agent.clock.now(),
            reason: why.reason,
            message: why.message,
            exit_code: why.exit_code,
            times: times + 1,
        };
        self.memory.failed_starts.insert(container.to_owned(), failed);
    }

    async fn try_start(&self, bound: &Bound, container: &str, attempt: u32) -> Result<(), NotStarted> {
        let pod_ip = self.pod_ip().await;
        let spec = containers::spec(&self.agent, bound, container, attempt, pod_ip).await?;
        let image = spec.image.clone();
        if let Ok(Some(_)) = self.agent.runtime.image_status(&image).await {
            let message = format!("Container image {image:?} already present on machine");
            self.agent.events.normal(&bound.object, container, "Pulled", message);
        }
        let started = self.agent.runtime.start_container(&self.uid, spec).await;
        started.map_err(|error| NotStarted::of(&error, bound, container))
    }

    /// Removes the runs before the last one, which alone is still asked for: by `logs
    /// --previous`, and as the last state.
    async fn sweep(&self, bound: &Bound, container: &str, attempt: u32) {
        let Some(sandbox) = self.sandbox().await.ok().flatten() else { return };
        let runs = sandbox.containers.iter().filter_map(|state| Some((parse_run(&state.id)?, state)));
        for ((_, old), state) in runs.filter(|((name, n), _)| *name == container && n + 1 < attempt) {
            if let Err(error) = self.agent.runtime.remove_container(&self.uid, &state.id).await {
                tracing::debug!(%error, run = state.id, "an old run was not removed; the sandbox's end does it");
            }
            termination::sweep(&self.agent, bound, container, old);
        }
    }

    async fn pod_ip(&self) -> String {
        let sandbox = self.sandbox().await.ok().flatten();
        sandbox.and_then(|sandbox| sandbox.ips.first().map(ToString::to_string)).unwrap_or_default()
    }

    pub(super) fn complain(&self, bound: Option<&Bound>, step: &Step, error: &RuntimeError) {
        tracing::warn!(uid = self.uid, ?step, %error, "a step failed; tried again");
        if let (Some(bound), Step::RunSandbox) = (bound, step) {
            let message = format!("Failed to create pod sandbox: {error}");
            self.agent.events.warning(&bound.object, "", "FailedCreatePodSandBox", message);
        }
    }

    /// Removes the pod from the API, after its last status: its containers have ended.
    async fn forget(&mut self, bound: &Bound) -> Result<bool, RuntimeError> {
        let next = Reporter::start(Arc::clone(&self.agent));
        std::mem::replace(&mut self.reporter, next).finish().await;
        let row = table::find("", "pods").expect("a built-in kind");
        let params =
            DeleteParams { grace_period_seconds: Some(0), uid: self.uid.clone(), ..DeleteParams::default() };
        let (namespace, name) = (bound.object.namespace(), bound.object.name());
        match self.agent.client.delete(row, namespace, name, &params).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::Conflict) => Ok(true),
            Err(error) => {
                Err(RuntimeError::io("telling the API of the pod's end", std::io::Error::other(error)))
            }
        }
    }
}
