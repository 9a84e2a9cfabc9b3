//! The scheduler's loop: all pending pods in one pass over one state, their bindings in
//! one entry. It looks again when pods or nodes change, or where a binding could not be
//! written, and writes nothing twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_apiserver::{Binding, RequestContext, Target};
use xebec_controllers::{EventKind, EventRecord, Involved};
use xebec_scheduler::{Decision, NodeInfo, Outcome, PodInfo, is_pending, schedule};
use xebec_state::{Key, State};

use crate::leader::Term;
use crate::leader::events;
use crate::leader::feed::{self, News};

const COMPONENT: &str = "default-scheduler";
/// How long pods that fit nowhere wait at least before they are looked at again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long pods whose binding was not written wait at most: a store without a leader for a
/// moment changes nothing, so nothing would wake them up.
const AGAIN: Duration = Duration::from_millis(500);
/// Events that are written at the same time.
const TOGETHER: usize = 32;

struct Scheduler {
    term: Term,
    context: RequestContext,
    state: Arc<State>,
    /// Keys of pods that wait for a node.
    pending: BTreeSet<Key>,
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
    let mut scheduler = Scheduler { pending: pending(&state), state, context, term };
    let mut look = true;
    loop {
        let mut again = None;
        if look && !scheduler.pending.is_empty() {
            let pass = scheduler.pass().await;
            if pass != Pass::Placed {
                tokio::time::sleep(PAUSE).await;
            }
            again = (pass == Pass::Failed).then_some(AGAIN);
        }
        let changed = match again {
            Some(most) => tokio::time::timeout(most, revisions.changed()).await.unwrap_or(Ok(())),
            None => revisions.changed().await,
        };
        if changed.is_err() {
            return;
        }
        revisions.borrow_and_update();
        look = scheduler.refresh(store.state()) || again.is_some();
    }
}

/// What became of the pods of one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// All of them were placed.
    Placed,
    /// Some fit nowhere: pods or nodes must change.
    Refused,
    /// The binding of some was not written.
    Failed,
}

impl Scheduler {
    /// Goes on to a newer state; true when pods or nodes changed on the way.
    fn refresh(&mut self, state: Arc<State>) -> bool {
        let seen = self.state.revision();
        let changed = ["pods", "nodes"].iter().any(|resource| state.changed_at(resource) > seen);
        if changed {
            match feed::since(&state, seen) {
                News::Everything => self.pending = pending(&state),
                News::Changes(changes) => {
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
    async fn pass(&self) -> Pass {
        let pods: Vec<Object> =
            self.pending.iter().filter_map(|key| self.state.get(key).and_then(feed::of_entry)).collect();
        let infos: Vec<PodInfo> = pods.iter().map(PodInfo::from_object).collect();
        let decisions = schedule(&nodes(&self.state), &infos);
        let bound = self.bind(&pods, &decisions).await;
        let refused: Vec<(&Object, &str)> = decisions
            .iter()
            .filter_map(|decision| match &decision.outcome {
                Outcome::Unschedulable { message } => Some((pod_of(&pods, decision)?, message.as_str())),
                Outcome::Bind { .. } => None,
            })
            .collect();
        for chunk in refused.chunks(TOGETHER) {
            join_all(chunk.iter().map(|(pod, message)| self.explain(pod, message))).await;
        }
        match (bound, refused.is_empty()) {
            (false, _) => Pass::Failed,
            (true, false) => Pass::Refused,
            (true, true) => Pass::Placed,
        }
    }

    /// True when every decided binding was written.
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

    /// Says on a pod why it waits, unless it says so already.
    async fn explain(&self, pod: &Object, message: &str) {
        let said = xebec_api::pod::condition(pod, "PodScheduled");
        if said.is_some_and(|said| said["status"] == "False" && said["message"] == message) {
            return;
        }
        let api = &self.term.around.api;
        let failed = event(pod, EventKind::Warning, "FailedScheduling", message.to_owned());
        events::record(&self.term, &self.context, &failed).await;
        let row = table::find("", "pods").expect("pods are in the table");
        let target = Target::object(row, pod.namespace(), pod.name()).subresource("status");
        let waiting = unschedulable(pod, message, &rfc3339(self.term.around.clock.now()));
        if let Err(error) = api.update(&self.context, &target, waiting).await {
            tracing::debug!(pod = pod.name(), "its condition was not written: {error}");
        }
    }
}

fn pending(state: &State) -> BTreeSet<Key> {
    let pods = state.list("pods", None).filter_map(|(_, _, entry)| feed::of_entry(entry));
    pods.filter(is_pending).map(|pod| Key::new("pods", pod.namespace(), pod.name())).collect()
}

/// Every node with the pods that are bound to it.
fn nodes(state: &State) -> Vec<NodeInfo> {
    let mut bound: std::collections::BTreeMap<String, Vec<Object>> = std::collections::BTreeMap::new();
    for pod in state.list("pods", None).filter_map(|(_, _, entry)| feed::of_entry(entry)) {
        if let Some(node) = xebec_api::pod::node_name(&pod).map(str::to_owned) {
            bound.entry(node).or_default().push(pod);
        }
    }
    let nodes = state.list("nodes", None).filter_map(|(_, _, entry)| feed::of_entry(entry));
    nodes
        .map(|node| NodeInfo::from_objects(&node, bound.get(node.name()).map_or(&[], Vec::as_slice)))
        .collect()
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
