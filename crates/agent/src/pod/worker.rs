//! One pod's worker: looks, asks the machine, has its steps executed, says the status, and
//! waits for the next reason to look. It never decides anything itself, and it never waits
//! for a master while there is something to do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use xebec_api::object::Object;
use xebec_runtime::{RuntimeError, Sandbox};

use crate::pod::machine::{self, Memory, Step};
use crate::pod::reporter::Reporter;
use crate::pod::said::Said;
use crate::pod::status::{self, Facts, Readiness};
use crate::probe::{self, Verdict};
use crate::run::Agent;
use crate::volumes;

/// Between two tries of something that failed.
const RETRY: Duration = Duration::from_secs(1);
/// A look at a pod that nothing told about.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Rounds of steps in one look; a pod that is not settled then is looked at again.
const ROUNDS: usize = 16;

/// What the API wants of a pod.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// It is bound here, in this form.
    Run(Arc<Object>),
    /// The API does not know it any more.
    Gone,
}

/// A pod as the API has it, in both forms.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) object: Arc<Object>,
    pub(crate) pod: Arc<Pod>,
}

pub(super) struct Worker {
    pub(super) agent: Arc<Agent>,
    pub(super) uid: String,
    pub(super) memory: Memory,
    pub(super) readiness: Readiness,
    pub(super) probes: probe::Running,
    pub(super) verdicts: mpsc::Sender<Verdict>,
    pub(super) reporter: Reporter,
    said: Said,
    /// By container, the run whose back-off was told.
    told_backoffs: BTreeMap<String, u64>,
    /// Hooks that run, and what follows them.
    pub(super) hooks: JoinSet<()>,
    /// Those before a run's SIGTERM, by its id.
    pub(super) pre_stops: BTreeMap<String, AbortHandle>,
    /// Its volumes are gone: the pod is over.
    pub(super) cleared: bool,
    /// It was asked whether the node takes the pod in.
    pub(super) judged: bool,
    /// Keeps its volumes up to date.
    refresher: JoinHandle<()>,
}

/// Both ends of what is found about a pod.
pub(crate) type Verdicts = (mpsc::Sender<Verdict>, mpsc::Receiver<Verdict>);

/// Runs until the pod is gone from here, or the agent stops. Gives the pod's uid.
pub(crate) async fn run(
    agent: Arc<Agent>,
    uid: String,
    mut wanted: watch::Receiver<Wanted>,
    (verdicts, mut heard): Verdicts,
) -> String {
    let mut hints = agent.runtime.events();
    let stop = agent.stop.clone();
    let mut worker = Worker {
        uid: uid.clone(),
        memory: Memory::default(),
        readiness: Readiness::new(),
        probes: probe::Running::default(),
        reporter: Reporter::start(agent.clone()),
        said: Said::default(),
        told_backoffs: BTreeMap::new(),
        hooks: JoinSet::new(),
        pre_stops: BTreeMap::new(),
        cleared: false,
        judged: false,
        refresher: tokio::spawn(volumes::keep(agent.clone(), wanted.clone(), verdicts.clone())),
        verdicts,
        agent,
    };
    loop {
        let bound = bound(&wanted.borrow_and_update().clone());
        let Ok(mut bound) = bound else { break };
        if let Some(bound) = &mut bound {
            worker.said.lay_over(&mut bound.pod);
        }
        let wait = match worker.look(bound.as_ref()).await {
            Look::Done => break,
            Look::Wait(wait) => wait,
        };
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = hint(&mut hints, &uid) => {}
            Some(verdict) = heard.recv() => worker.hear(bound.as_ref(), verdict),
            () = tokio::time::sleep(wait) => {}
            Some(_) = worker.hooks.join_next() => {}
            () = stop.cancelled() => break,
        }
    }
    worker.stop_refresher().await;
    worker.hooks.shutdown().await;
    worker.probes.stop().await;
    worker.reporter.finish().await;
    uid
}

/// Both forms of what is wanted; nothing where it is gone.
pub(crate) fn bound(wanted: &Wanted) -> Result<Option<Bound>, ()> {
    let Wanted::Run(object) = wanted else { return Ok(None) };
    match object.typed() {
        Ok(pod) => Ok(Some(Bound { object: object.clone(), pod: Arc::new(pod) })),
        Err(error) => {
            tracing::error!(%error, pod = object.name(), "a pod of the API cannot be read");
            Err(())
        }
    }
}

pub(super) enum Look {
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
    /// Rounds of steps until there are none, then the status.
    async fn look(&mut self, bound: Option<&Bound>) -> Look {
        for _ in 0..ROUNDS {
            let sandbox = match self.sandbox().await {
                Ok(sandbox) => sandbox,
                Err(error) => {
                    tracing::error!(%error, "the runtime does not answer");
                    return Look::Wait(RETRY);
                }
            };
            self.follow_probes(bound, sandbox.as_ref());
            self.follow_ends(bound, sandbox.as_ref());
            self.follow_definition(bound, sandbox.as_ref());
            let now = self.agent.clock.now();
            self.follow_pressure(bound, sandbox.as_ref());
            self.follow_deadline(bound, now);
            self.follow_volumes(bound, sandbox.as_ref());
            let next = machine::next(bound.map(|b| &*b.pod), sandbox.as_ref(), &self.memory, now);
            let killing = next.steps.iter().all(|step| matches!(step, Step::Kill { .. }));
            let last_word = |step: &Step| matches!(step, Step::StopSandbox | Step::Forget);
            if killing || next.steps.iter().any(last_word) {
                self.report(bound, sandbox.as_ref());
            }
            for step in &next.steps {
                match self.execute(step, bound).await {
                    Ok(true) => return Look::Done,
                    Ok(false) => {}
                    Err(error) => {
                        self.complain(bound, step, &error);
                        self.report(bound, sandbox.as_ref());
                        return Look::Wait(RETRY);
                    }
                }
            }
            if killing {
                let until = next.again.map(|at| at.duration_since(now).unsigned_abs());
                return Look::Wait(until.unwrap_or(LOOK_EVERY).min(LOOK_EVERY));
            }
        }
        Look::Wait(RETRY)
    }

    /// Before the volumes are removed: nothing writes to them any more.
    pub(super) async fn stop_refresher(&mut self) {
        self.refresher.abort();
        if !self.refresher.is_finished() {
            // Cancelled is how it ends.
            let _ = (&mut self.refresher).await;
        }
    }

    pub(super) async fn sandbox(&self) -> Result<Option<Sandbox>, RuntimeError> {
        let all = self.agent.runtime.list().await?;
        Ok(all.into_iter().find(|sandbox| sandbox.pod_uid == self.uid))
    }

    /// Where the pod is reached.
    pub(super) fn address(&self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) -> Option<IpAddr> {
        let spec = bound.and_then(|bound| bound.pod.spec.as_ref());
        if spec.is_some_and(|spec| spec.host_network == Some(true)) {
            return Some(self.agent.config.address);
        }
        sandbox.and_then(|sandbox| sandbox.ips.first().copied())
    }

    /// Says the status, and tells of containers that wait for their next try.
    fn report(&mut self, bound: Option<&Bound>, sandbox: Option<&Sandbox>) {
        let Some(bound) = bound else { return };
        if sandbox.is_none_or(|sandbox| !sandbox.alive) && status::in_last_phase(&bound.pod) {
            // Nothing is left that could say more.
            return;
        }
        let facts = Facts {
            pod: &bound.pod,
            sandbox,
            memory: &self.memory,
            readiness: &self.readiness,
            host_ip: self.agent.config.address.to_string(),
        };
        let status = status::of(&facts);
        self.tell_backoffs(bound, &status);
        self.said.keep(&status);
        self.reporter.say(bound.object.clone(), status);
    }

    fn tell_backoffs(&mut self, bound: &Bound, status: &Value) {
        for container in ["initContainerStatuses", "containerStatuses"]
            .iter()
            .flat_map(|list| status[list].as_array().into_iter().flatten())
        {
            let (name, run) = (container["name"].as_str().unwrap_or_default(), &container["restartCount"]);
            let waiting = &container["state"]["waiting"];
            let image = container["image"].as_str().unwrap_or_default();
            let (kind, message) = match waiting["reason"].as_str() {
                Some("CrashLoopBackOff") => {
                    let pod = status::full_name(&bound.object);
                    ("Warning", format!("Back-off restarting failed container {name} in pod {pod}"))
                }
                Some("ImagePullBackOff") => ("Normal", format!("Back-off pulling image {image:?}")),
                _ => continue,
            };
            let run = run.as_u64().unwrap_or_default();
            if self.told_backoffs.insert(name.to_owned(), run) == Some(run) {
                continue;
            }
            if kind == "Warning" {
                self.agent.events.warning(&bound.object, name, "BackOff", message);
            } else {
                self.agent.events.normal(&bound.object, name, "BackOff", message);
                let message = "Error: ImagePullBackOff".to_owned();
                self.agent.events.warning(&bound.object, name, "Failed", message);
            }
        }
    }
}
