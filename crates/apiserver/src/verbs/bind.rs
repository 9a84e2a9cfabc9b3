//! Binding pods to nodes: one through the subresource `binding`, many in one
//! transaction for the scheduler. A pod that cannot be bound does not hold the others up:
//! it is left out when the transaction is decided again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_state::{Key, Precondition, State, Transaction};

use super::{read, record_fields, revision};
use crate::pipeline::{Decision, Selectors, Work, audit};
use crate::{ApiServer, Binding, RequestContext, Target, Verb, stored};

/// Bindings a transaction; what is more goes into the next one.
const BATCH: usize = 512;

type Outcome = Result<(), ApiError>;

impl ApiServer {
    /// Binds many pods, each with its own outcome.
    pub async fn bind_many(&self, ctx: &RequestContext, bindings: &[Binding]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(bindings.len());
        for batch in bindings.chunks(BATCH) {
            let (probe, _) = pod_target(&batch[0]);
            let work = self.commit_bindings(ctx, batch);
            match self.run(ctx, Verb::Create, &probe, Selectors::default(), work).await {
                Ok(batch) => outcomes.extend(batch),
                Err(error) => outcomes.extend(batch.iter().map(|_| Err(error.clone()))),
            }
        }
        outcomes
    }

    /// The subresource `binding`.
    pub(super) async fn create_binding(
        &self,
        ctx: &RequestContext,
        target: &Target,
        body: &Object,
    ) -> Result<Object, ApiError> {
        target.check_name()?;
        let (kind, node) = (body.text(&["target", "kind"]), body.text(&["target", "name"]));
        if !matches!(kind, "" | "Node") || node.is_empty() {
            let cause = FieldError::required("target.name", "the name of a Node");
            return Err(ApiError::invalid("", "Binding", &target.name, vec![cause]));
        }
        let binding = Binding {
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            uid: body.uid().to_owned(),
            node: node.to_owned(),
        };
        let outcomes = self.commit_bindings(ctx, &[binding]).await?;
        outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
        let mut answer = Object::default();
        for (field, value) in [("apiVersion", "v1"), ("kind", "Status"), ("status", "Success")] {
            answer.set(&[field], value);
        }
        Ok(answer)
    }

    async fn commit_bindings(
        &self,
        ctx: &RequestContext,
        bindings: &[Binding],
    ) -> Result<Vec<Outcome>, ApiError> {
        self.commit(ctx, |state| {
            let decision = self.decide_bindings(ctx, bindings, state);
            // A failure on a state that is behind is none: have it decided again.
            let stale = decision.failed && decision.decision.transaction.operations.is_empty();
            if stale && bindings.len() == 1 {
                let mut outcomes = (decision.decision.finish)(&[]);
                return Err(outcomes.remove(0).expect_err("the only binding failed"));
            }
            Ok(decision.decision)
        })
        .await
        .or_else(|error| if bindings.len() == 1 { Ok(vec![Err(error)]) } else { Err(error) })
    }

    fn decide_bindings(&self, ctx: &RequestContext, bindings: &[Binding], state: &Arc<State>) -> Decided {
        let mut transaction = Transaction::default();
        let mut nodes: BTreeMap<&str, Key> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(bindings.len());
        for binding in bindings {
            let (target, node) = pod_target(binding);
            let work = Work::new(self, ctx, &target, state);
            let outcome = bind(&work, binding, &node).map(|(pod, at)| {
                nodes.insert(&binding.node, node);
                transaction.preconditions.push(Precondition::AtRevision(target.key(), at));
                transaction.operations.push(stored::put(target.key(), &pod));
            });
            if let Err(error) = &outcome {
                audit::record(ctx, Verb::Create, &target, Some(error));
            }
            outcomes.push(outcome);
        }
        transaction.preconditions.extend(nodes.into_values().map(Precondition::Exists));
        let failed = outcomes.iter().any(Result::is_err);
        Decided { decision: Decision { transaction, finish: Box::new(move |_| outcomes) }, failed }
    }
}

struct Decided {
    decision: Decision<Vec<Outcome>>,
    failed: bool,
}

fn pod_target(binding: &Binding) -> (Target, Key) {
    let row = table::find("", "pods").expect("pods are in the table");
    let target = Target::object(row, &binding.namespace, &binding.name).subresource("binding");
    (target, Key::new("nodes", "", &binding.node))
}

/// The bound pod, and the revision that it was read at.
fn bind(work: &Work<'_>, binding: &Binding, node: &Key) -> Result<(Object, u64), ApiError> {
    let old = read(work.state, work.target)?;
    let conflict = |why: String| Err(work.target.conflict(&why));
    if !binding.uid.is_empty() && binding.uid != old.uid() {
        return conflict(format!(
            "Precondition failed: UID in precondition: {}, UID in object meta: {}",
            binding.uid,
            old.uid()
        ));
    }
    if old.is_terminating() {
        return conflict(format!("pod {} is being deleted, cannot be assigned to a host", old.name()));
    }
    let bound = old.text(&["spec", "nodeName"]);
    if !bound.is_empty() {
        return conflict(format!("pod {} is already assigned to node {bound:?}", old.name()));
    }
    if work.state.get(node).is_none() {
        return Err(ApiError::new(Reason::NotFound, format!("nodes {:?} not found", binding.node)));
    }
    let mut pod = old.clone();
    pod.set(&["spec", "nodeName"], binding.node.as_str());
    set_scheduled(&mut pod, &rfc3339(work.now));
    record_fields(work, &mut pod, Some(&old));
    Ok((pod, revision(&old)))
}

fn set_scheduled(pod: &mut Object, time: &str) {
    let found = pod.get(&["status", "conditions"]).and_then(Value::as_array).cloned();
    let mut conditions = found.unwrap_or_default();
    conditions.retain(|condition| condition.get("type") != Some(&json!("PodScheduled")));
    conditions.push(json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": time}));
    pod.set(&["status", "conditions"], conditions);
}
