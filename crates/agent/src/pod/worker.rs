//! One pod's worker: looks, asks the machine, executes, reports, and waits for the next
//! reason to look. It never decides anything itself.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc, watch};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{DeleteParams, Patch, Reason};
use xebec_runtime::{RuntimeError, Sandbox, SandboxSpec};

use crate::events;
use crate::node_object::now;
use crate::pod::containers;
use crate::pod::machine::{self, FailedStart, Memory, Step, is_running, parse_run};
use crate::pod::status::{self, Facts, Readiness};
use crate::probe::{self, Verdict};
use crate::run::Agent;
use crate::volumes;

/// Between two tries of something that failed.
const RETRY: Duration = Duration::from_secs(1);
/// A look at a pod that nothing told about.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What the API wants of a pod.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// It is bound here, in this form.
    Run(Arc<Object>),
    /// The API does not know it any more.
    Gone,
}

struct Worker {
    agent: Arc<Agent>,
    uid: String,
    memory: Memory,
    readiness: Readiness,
    probes: probe::Running,
    verdicts: mpsc::Sender<Verdict>,
    reported: Value,
}

/// Runs until the pod is gone from here, or the agent stops. Gives the pod's uid.
pub(crate) async fn run(agent: Arc<Agent>, uid: String, mut wanted: watch::Receiver<Wanted>) -> String {
    let mut hints = agent.runtime.events();
    let (verdicts, mut heard) = mpsc::channel(64);
    let stop = agent.stop.clone();
    let mut worker = Worker {
        agent,
        uid: uid.clone(),
        memory: Memory::default(),
        readiness: Readiness::new(),
        probes: probe::Running::default(),
        verdicts,
        reported: Value::Null,
    };
    loop {
        let now_wanted = wanted.borrow_and_update().clone();
        let wait = match worker.look(&now_wanted).await {
            Look::Done => break,
            Look::Wait(wait) => wait,
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = hint(&mut hints, &uid) => {}
            Some(verdict) = heard.recv() => worker.hear(&verdict),
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => break,
        }
    }
    worker.probes.stop().await;
    uid
}

enum Look {
    Done,
    Wait(Duration),
}

/// Waits for the runtime to say that something happened to this pod.
async fn hint(hints: &mut broadcast::Receiver<xebec_runtime::RuntimeEvent>, uid: &str) {
    loop {
        match hints.recv().await {
            Ok(event) if event.pod_uid != uid => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            // For this pod, or some were missed.
            _ => return,
        }
    }
}

impl Worker {
    /// One round: steps until there are none, then the status.
    async fn look(&mut self, wanted: &Wanted) -> Look {
        let object = match wanted {
            Wanted::Run(object) => Some(object.clone()),
            Wanted::Gone => None,
        };
        let pod: Option<Pod> = match object.as_ref().map(|object| object.typed()).transpose() {
            Ok(pod) => pod,
            Err(error) => {
                tracing::error!(%error, "a pod of the API cannot be read");
                return Look::Wait(LOOK_EVERY);
            }
        };
        loop {
            let sandbox = match self.sandbox().await {
                Ok(sandbox) => sandbox,
                Err(error) => {
                    tracing::error!(%error, "the runtime does not answer");
                    return Look::Wait(RETRY);
                }
            };
            self.follow_probes(pod.as_ref(), sandbox.as_ref());
            let next = machine::next(pod.as_ref(), sandbox.as_ref(), &self.memory, now());
            if next.steps.is_empty() {
                if let Some(object) = &object {
                    self.report(object, pod.as_ref(), sandbox.as_ref()).await;
                }
                let until = next.again.map(|at| at.duration_since(now()).unsigned_abs());
                return Look::Wait(until.unwrap_or(LOOK_EVERY).min(LOOK_EVERY));
            }
            for step in next.steps {
                match self.execute(&step, object.as_deref(), pod.as_ref()).await {
                    Ok(true) => return Look::Done,
                    Ok(false) => {}
                    Err(error) => {
                        self.complain(object.as_deref(), &step, &error).await;
                        return Look::Wait(RETRY);
                    }
                }
            }
            if next.again.is_some() {
                let until = next.again.map(|at| at.duration_since(now()).unsigned_abs());
                return Look::Wait(until.unwrap_or(RETRY));
            }
        }
    }

    async fn sandbox(&self) -> Result<Option<Sandbox>, RuntimeError> {
        let all = self.agent.runtime.list().await?;
        Ok(all.into_iter().find(|sandbox| sandbox.pod_uid == self.uid))
    }

    /// Executes one step; `true` when nothing is left to do for this pod.
    async fn execute(
        &mut self,
        step: &Step,
        object: Option<&Object>,
        pod: Option<&Pod>,
    ) -> Result<bool, RuntimeError> {
        match (step, object, pod) {
            (Step::RunSandbox, Some(object), Some(pod)) => {
                let spec = sandbox_spec(&self.agent, object, pod);
                self.agent.runtime.run_sandbox(spec).await?;
            }
            (Step::Start { container, attempt }, Some(object), Some(pod)) => {
                self.start(object, pod, container, *attempt).await;
            }
            (Step::Terminate { id }, ..) => {
                if self.memory.terminating_since.is_none() {
                    self.memory.terminating_since = Some(now());
                    if let Some(object) = object {
                        let message = "Stopping containers".to_owned();
                        events::record(&self.agent, object, false, "Killing", &message).await;
                    }
                }
                self.signal(id, libc::SIGTERM).await?;
            }
            (Step::Kill { id }, ..) => self.signal(id, libc::SIGKILL).await?,
            (Step::RemoveSandbox, ..) => {
                self.agent.runtime.remove_sandbox(&self.uid).await?;
                volumes::remove(&self.agent.config.data_dir, &self.uid);
            }
            (Step::Forget, ..) => {
                if let Some(object) = object {
                    return Ok(self.forget(object).await);
                }
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    /// One that ended by itself meanwhile needs no signal.
    async fn signal(&self, id: &str, signal: i32) -> Result<(), RuntimeError> {
        match self.agent.runtime.signal_container(&self.uid, id, signal).await {
            Err(RuntimeError::NoContainer { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Starts a run; a start that fails is remembered, and tried again by the machine.
    async fn start(&mut self, object: &Object, pod: &Pod, container: &str, attempt: u32) {
        let times =
            self.memory.failed_starts.iter().rev().find(|f| f.container == container).map_or(0, |f| f.times);
        let prepared =
            containers::spec(&self.agent, object, pod, container, attempt, self.pod_ip().await).await;
        let failure = match prepared {
            Ok(spec) => match self.agent.runtime.start_container(&self.uid, spec).await {
                Ok(()) => None,
                Err(error) => Some(containers::failure(&error)),
            },
            Err(why) => Some(("CreateContainerConfigError", why, true)),
        };
        let Some((reason, message, waits)) = failure else {
            self.memory.failed_starts.retain(|failed| failed.container != container);
            events::record(&self.agent, object, false, "Started", &format!("Started container {container}"))
                .await;
            return;
        };
        tracing::warn!(pod = object.name(), container, reason, message, "a container did not start");
        self.memory.failed_starts.retain(|failed| failed.container != container);
        self.memory.failed_starts.push(FailedStart {
            container: container.to_owned(),
            attempt,
            at: now(),
            reason: reason.to_owned(),
            message: message.clone(),
            waits,
            times: times + 1,
        });
        events::record(&self.agent, object, true, "Failed", &format!("Error: {reason}: {message}")).await;
    }

    async fn pod_ip(&self) -> String {
        let sandbox = self.sandbox().await.ok().flatten();
        sandbox.and_then(|sandbox| sandbox.ips.first().map(ToString::to_string)).unwrap_or_default()
    }

    async fn complain(&self, object: Option<&Object>, step: &Step, error: &RuntimeError) {
        tracing::warn!(uid = self.uid, ?step, %error, "a step failed; tried again");
        if let (Some(object), Step::RunSandbox) = (object, step) {
            let message = format!("Failed to create pod sandbox: {error}");
            events::record(&self.agent, object, true, "FailedCreatePodSandBox", &message).await;
        }
    }

    /// Removes the pod from the API: its containers have ended.
    async fn forget(&self, object: &Object) -> bool {
        let row = table::find("", "pods").expect("a built-in kind");
        let params =
            DeleteParams { grace_period_seconds: Some(0), uid: self.uid.clone(), ..DeleteParams::default() };
        match self.agent.client.delete(row, object.namespace(), object.name(), &params).await {
            Ok(_) => true,
            Err(error) if matches!(error.reason, Reason::NotFound | Reason::Conflict) => true,
            Err(error) => {
                tracing::warn!(%error, pod = object.name(), "the API did not take a pod's end");
                false
            }
        }
    }

    /// Probes follow the containers that run.
    fn follow_probes(&mut self, pod: Option<&Pod>, sandbox: Option<&Sandbox>) {
        let running: Vec<&xebec_runtime::ContainerState> =
            sandbox.into_iter().flat_map(|s| &s.containers).filter(|state| is_running(state)).collect();
        self.readiness.retain(|id, _| running.iter().any(|state| state.id == *id));
        self.memory.condemned.retain(|id| running.iter().any(|state| state.id == *id));
        self.probes.keep(|id| running.iter().any(|state| state.id == id));
        let Some(spec) = pod.and_then(|pod| pod.spec.as_ref()) else { return };
        let ip = sandbox.and_then(|sandbox| sandbox.ips.first().copied());
        let ip = if spec.host_network == Some(true) { Some(self.agent.config.address) } else { ip };
        for state in running {
            let Some((name, _)) = parse_run(&state.id) else { continue };
            let Some(container) = spec.containers.iter().find(|container| container.name == name) else {
                continue;
            };
            if self.readiness.contains_key(&state.id) {
                continue;
            }
            let unprobed = container.readiness_probe.is_none() && container.startup_probe.is_none();
            self.readiness.insert(state.id.clone(), unprobed);
            let target = probe::Target {
                runtime: self.agent.runtime.clone(),
                pod_uid: self.uid.clone(),
                run: state.id.clone(),
                ip,
            };
            self.probes.start(target, container, self.verdicts.clone());
        }
    }

    fn hear(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Ready { run, ready } => {
                if let Some(known) = self.readiness.get_mut(run) {
                    *known = *ready;
                }
            }
            Verdict::Condemned { run, why } => {
                tracing::info!(uid = self.uid, run, why, "a probe condemned a container");
                self.memory.condemned.push(run.clone());
            }
        }
    }

    /// Tells the API what is new.
    async fn report(&mut self, object: &Object, pod: Option<&Pod>, sandbox: Option<&Sandbox>) {
        let Some(pod) = pod else { return };
        let old = if self.reported.is_null() {
            object.get(&["status"]).cloned().unwrap_or_default()
        } else {
            self.reported.clone()
        };
        let facts = Facts {
            pod,
            sandbox,
            memory: &self.memory,
            readiness: &self.readiness,
            host_ip: self.agent.config.address.to_string(),
            now: now(),
            old: &old,
        };
        let status = status::of(&facts);
        let unchanged =
            status.as_object().into_iter().flatten().all(|(key, value)| old.get(key) == Some(value));
        if unchanged {
            self.reported = old;
            return;
        }
        let row = table::find("", "pods").expect("a built-in kind");
        let patch = Patch::Merge(json!({"metadata": {"uid": self.uid}, "status": status}));
        let sent =
            self.agent.client.patch_subresource(row, object.namespace(), object.name(), "status", &patch);
        match sent.await {
            Ok(stored) => self.reported = stored.get(&["status"]).cloned().unwrap_or_default(),
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => tracing::warn!(%error, pod = object.name(), "a pod's status was not taken"),
        }
    }
}

fn sandbox_spec(agent: &Agent, object: &Object, pod: &Pod) -> SandboxSpec {
    let spec = pod.spec.clone().unwrap_or_default();
    SandboxSpec {
        pod_uid: object.uid().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        hostname: spec.hostname.clone().unwrap_or_else(|| object.name().to_owned()),
        host_network: spec.host_network.unwrap_or(false),
        host_pid: spec.host_pid.unwrap_or(false),
        host_ipc: spec.host_ipc.unwrap_or(false),
        log_dir: log_dir(agent, object.uid()),
        ..SandboxSpec::default()
    }
}

pub(crate) fn log_dir(agent: &Agent, uid: &str) -> std::path::PathBuf {
    agent.config.data_dir.join("logs").join(uid)
}
