//! The scheduler's loop: all pending pods in one pass over one state, their bindings in
//! one entry. It looks again when pods or nodes change, and writes nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use xebec_api::error::Reason;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_apiserver::{Binding, RequestContext, Target};
use xebec_controllers::{EventKind, EventRecord, Involved};
use xebec_scheduler::{Decision, Namespaces, Outcome, PodInfo, is_pending, schedule};
use xebec_state::{Key, State};

use crate::leader::Term;
use crate::leader::events;
use crate::leader::feed::{self, News};
use crate::leader::occupancy::Occupancy;

const COMPONENT: &str = "default-scheduler";
/// How long pods that fit nowhere wait at least before they are looked at again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long after that what could not be written is tried again, even if nothing changes.
const RETRY: Duration = Duration::from_secs(1);
/// So often a pod that waits says why in an event, though nothing changed: events do not last,
/// and whoever describes the pod looks for one.
const REMIND: Duration = Duration::from_secs(300);
/// Events that are written at the same time.
const TOGETHER: usize = 32;

struct Scheduler {
    term: Term,
    context: RequestContext,
    state: Arc<State>,
    /// Keys of pods that wait for a node.
    pending: BTreeSet<Key>,
    /// The nodes with those that have one.
    occupancy: Occupancy,
    namespaces: Namespaces,
    /// Pods that wait say so again in this pass.
    reminds: bool,
}

/// Schedules until the term is over.
pub(crate) async fn run(term: Term) {
    let over = term.over.clone();
    over.run_until_cancelled(Box::pin(run_until_stopped(term))).await;
}

async fn run_until_stopped(term: Term) {
    let store = term.around.api.store().clone();
    let mut revisions = store.revisions();
    let state = store.state();
    let context = RequestContext::system("scheduler", term.number);
    let (pending, occupancy, namespaces) = (pending(&state), Occupancy::of(&state), namespaces(&state));
    let mut scheduler = Scheduler { pending, occupancy, namespaces, reminds: false, state, context, term };
    let mut look = true;
    let mut told = Instant::now();
    loop {
        let mut pass = Pass::Placed;
        if look && !scheduler.pending.is_empty() {
            pass = scheduler.pass().await;
        }
        if pass != Pass::Placed {
            tokio::time::sleep(PAUSE).await;
        }
        let failed = pass == Pass::Failed;
        let wait = match (failed, scheduler.pending.is_empty()) {
            (true, _) => RETRY,
            (false, true) => Duration::MAX,
            (false, false) => REMIND.saturating_sub(told.elapsed()),
        };
        if let Ok(Err(_)) = tokio::time::timeout(wait, revisions.changed()).await {
            return;
        }
        revisions.borrow_and_update();
        scheduler.reminds = told.elapsed() >= REMIND;
        if scheduler.reminds {
            told = Instant::now();
        }
        look = scheduler.refresh(store.state()) || failed || scheduler.reminds;
    }
}

/// What became of a pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Every pod has a node.
    Placed,
    /// Some fit nowhere, and say so.
    Waiting,
    /// Something could not be written.
    Failed,
}

impl Scheduler {
    /// Goes on to a newer state; true when pods, nodes or namespaces changed on the way.
    fn refresh(&mut self, state: Arc<State>) -> bool {
        let seen = self.state.revision();
        let is_new = |resource: &&str| state.changed_at(resource) > seen;
        let changed = ["pods", "nodes", "namespaces"].iter().any(is_new);
        if is_new(&"namespaces") {
            self.namespaces = namespaces(&state);
        }
        if changed {
            match feed::since(&state, seen) {
                News::Everything => {
                    self.pending = pending(&state);
                    self.occupancy = Occupancy::of(&state);
                }
                News::Changes(changes) => {
                    changes.iter().for_each(|change| self.occupancy.follow(change));
                    for change in changes.iter().filter(|change| &*change.resource == "pods") {
                        let key = Key::new("pods", change.object.namespace(), change.object.name());
                        if !change.gone && is_pending(&change.object) {
                            self.pending.insert(key);
                        } else {
                            self.pending.remove(&key);
                        }
                    }
                }
            }
        }
        self.state = state;
        changed
    }

    /// Decides for every pending pod and writes what was decided.
    async fn pass(&mut self) -> Pass {
        let pods: Vec<Object> =
            self.pending.iter().filter_map(|key| self.state.get(key).and_then(feed::of_entry)).collect();
        let infos: Vec<Arc<PodInfo>> = pods.iter().map(|pod| Arc::new(PodInfo::from_object(pod))).collect();
        let decisions = schedule(&self.occupancy.nodes(), &infos, &self.namespaces);
        let bound = self.bind(&pods, &decisions).await;
        let refused: Vec<(&Object, &str)> = decisions
            .iter()
            .filter_map(|decision| match &decision.outcome {
                Outcome::Unschedulable { message } => Some((pod_of(&pods, decision)?, message.as_str())),
                Outcome::Bind { .. } => None,
            })
            .collect();
        let mut explained = true;
        for chunk in refused.chunks(TOGETHER) {
            let said = join_all(chunk.iter().map(|(pod, message)| self.explain(pod, message))).await;
            explained &= said.into_iter().all(|said| said);
        }
        match (bound && explained, refused.is_empty()) {
            (false, _) => Pass::Failed,
            (true, true) => Pass::Placed,
            (true, false) => Pass::Waiting,
        }
    }

    async fn bind(&self, pods: &[Object], decisions: &[Decision]) -> bool {
        let bindings: Vec<Binding> = decisions.iter().filter_map(binding).collect();
        if bindings.is_empty() {
            return true;
        }
        let outcomes = self.term.around.api.bind_many(&self.context, &bindings).await;
        let mut told = Vec::new();
        for (binding, outcome) in bindings.iter().zip(&outcomes) {
            let Binding { namespace, name, node, .. } = binding;
            match outcome {
                Ok(()) => {
                    let pod = pods.iter().find(|pod| pod.uid() == binding.uid);
                    let message = format!("Successfully assigned {namespace}/{name} to {node}");
                    told.extend(pod.map(|pod| event(pod, EventKind::Normal, "Scheduled", message)));
                }
                Err(error) => tracing::debug!(namespace, name, node, "not bound: {error}"),
            }
        }
        for chunk in told.chunks(TOGETHER) {
            join_all(chunk.iter().map(|event| events::record(&self.term, &self.context, event))).await;
        }
        outcomes.iter().all(Result::is_ok)
    }

    /// Says on a pod why it waits, unless it says so already; false when that is to be tried again.
    async fn explain(&self, pod: &Object, message: &str) -> bool {
        let said = xebec_api::pod::condition(pod, "PodScheduled");
        let said = said.is_some_and(|said| said["status"] == "False" && said["message"] == message);
        if said && !self.reminds {
            return true;
        }
        let api = &self.term.around.api;
        let failed = event(pod, EventKind::Warning, "FailedScheduling", message.to_owned());
        events::record(&self.term, &self.context, &failed).await;
        if said {
            return true;
        }
        let row = table::find("", "pods").expect("pods are in the table");
        let target = Target::object(row, pod.namespace(), pod.name()).subresource("status");
        let waiting = unschedulable(pod, message, &rfc3339(self.term.around.clock.now()));
        let Err(error) = api.update(&self.context, &target, waiting).await else { return true };
        tracing::debug!(pod = pod.name(), "its condition was not written: {error}");
        // Whatever else went wrong, the pod or the term has changed, or will.
        !matches!(error.reason, Reason::ServiceUnavailable | Reason::Timeout | Reason::TooManyRequests)
    }
}

fn pending(state: &State) -> BTreeSet<Key> {
    let pods = state.list("pods", None).filter_map(|(_, _, entry)| feed::of_entry(entry));
    pods.filter(is_pending).map(|pod| Key::new("pods", pod.namespace(), pod.name())).collect()
}

fn namespaces(state: &State) -> Namespaces {
    let all = state.list("namespaces", None).filter_map(|(_, _, entry)| feed::of_entry(entry));
    Namespaces::of(&all.collect::<Vec<Object>>())
}

fn pod_of<'a>(pods: &'a [Object], decision: &Decision) -> Option<&'a Object> {
    pods.iter().find(|pod| pod.uid() == decision.uid)
}

fn binding(decision: &Decision) -> Option<Binding> {
    let Outcome::Bind { node } = &decision.outcome else { return None };
    let [namespace, name, uid] = [&decision.namespace, &decision.name, &decision.uid].map(Clone::clone);
    Some(Binding { namespace, name, uid, node: node.clone() })
}

fn event(pod: &Object, kind: EventKind, reason: &str, message: String) -> EventRecord {
    EventRecord {
        involved: Involved::of(pod),
        reason: reason.to_owned(),
        message,
        kind,
        component: COMPONENT,
    }
}

fn unschedulable(pod: &Object, message: &str, now: &str) -> Object {
    let mut waiting = pod.clone();
    let before = xebec_api::pod::condition(pod, "PodScheduled");
    let since = before
        .filter(|before| before["status"] == "False")
        .and_then(|before| before["lastTransitionTime"].as_str());
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastProbeTime": null, "lastTransitionTime": since.unwrap_or(now)});
    let conditions =
        pod.get(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let others = conditions.into_iter().filter(|condition| condition["type"] != "PodScheduled");
    waiting.set(&["status", "conditions"], others.chain([condition]).collect::<Vec<_>>());
    waiting
}
