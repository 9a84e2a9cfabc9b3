//! Pods put on nodes. The scheduler binds many in one entry.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_state::{Operation, Precondition, Refusal, Reply, Transaction};

use crate::clock::rfc3339;
use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::verbs::Target;
use crate::verbs::create::fenced;
use crate::versioned;

/// One pod and its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub name: String,
    /// The pod's uid, `""` for any.
    pub uid: String,
    /// The node.
    pub node: String,
}

impl ApiServer {
    /// Binds pods, in as few entries as can be: those that changed meanwhile are left
    /// out and say so, one answer a binding, in order.
    pub async fn bind_many(
        &self,
        context: &RequestContext,
        bindings: &[Binding],
    ) -> Vec<Result<(), ApiError>> {
        let mut outcomes: Vec<Option<Result<(), ApiError>>> = vec![None; bindings.len()];
        while outcomes.iter().any(Option::is_none) {
            let mut transaction = Transaction { fence: context.fence, ..Transaction::default() };
            let mut waiting = Vec::new();
            for (index, binding) in
                bindings.iter().enumerate().filter(|(i, _)| outcomes[*i].is_none()).collect::<Vec<_>>()
            {
                match self.bound(binding) {
                    Ok((precondition, operation)) => {
                        transaction.preconditions.push(precondition);
                        transaction.operations.push(operation);
                        waiting.push(index);
                    }
                    Err(error) => outcomes[index] = Some(Err(error)),
                }
            }
            if waiting.is_empty() {
                break;
            }
            let settle = |outcomes: &mut Vec<_>, outcome: Result<(), ApiError>| {
                for index in &waiting {
                    outcomes[*index] = Some(outcome.clone());
                }
            };
            match self.propose(context, transaction).await {
                Ok(Reply::Applied { .. }) => settle(&mut outcomes, Ok(())),
                Ok(Reply::Refused(Refusal::Fenced { term })) => settle(&mut outcomes, Err(fenced(term))),
                Ok(Reply::Refused(Refusal::Precondition { index, .. })) => {
                    let lost = waiting[index];
                    let binding = &bindings[lost];
                    outcomes[lost] = Some(Err(ApiError::conflict("", "pods", &binding.name)));
                }
                Err(error) => settle(&mut outcomes, Err(error)),
            }
        }
        outcomes.into_iter().map(|outcome| outcome.expect("the loop answers every binding")).collect()
    }

    pub(crate) async fn bind_one(
        &self,
        context: &RequestContext,
        target: &Target,
        binding: &Object,
    ) -> Result<Object, ApiError> {
        let node = binding.text(&["target", "name"]).to_owned();
        if node.is_empty() {
            return Err(ApiError::new(Reason::BadRequest, "target.name: say which node"));
        }
        let one = Binding {
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            uid: binding.uid().to_owned(),
            node,
        };
        self.store.barrier().await?;
        let outcome = self.bind_many(context, &[one]).await.pop().expect("one binding, one outcome");
        outcome.map(|()| binding.clone())
    }

    fn bound(&self, binding: &Binding) -> Result<(Precondition, Operation), ApiError> {
        let row = table::find("", "pods").expect("pods are in the table");
        let target = Target::object(row, &binding.namespace, &binding.name);
        let mut pod = self.read(&target)?.ok_or_else(|| target.not_found())?;
        if !binding.uid.is_empty() && binding.uid != pod.uid() {
            return Err(target.conflict());
        }
        let node = pod.text(&["spec", "nodeName"]);
        if !node.is_empty() {
            let message = format!("pod {} is already assigned to node {node:?}", binding.name);
            return Err(ApiError::new(Reason::Conflict, message));
        }
        if pod.is_terminating() {
            return Err(ApiError::new(Reason::Conflict, format!("pod {} is being deleted", binding.name)));
        }
        let revision = versioned::parse_revision(pod.resource_version())?.unwrap_or_default();
        pod.set(&["spec", "nodeName"], binding.node.as_str());
        set_scheduled(&mut pod, &rfc3339(self.settings.clock.now()));
        let operation = Operation::Put(target.key(), versioned::to_value(&pod));
        Ok((Precondition::AtRevision(target.key(), revision), operation))
    }
}

fn set_scheduled(pod: &mut Object, now: &str) {
    let conditions =
        pod.get(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut conditions: Vec<Value> = conditions.into_iter().filter(|c| c["type"] != "PodScheduled").collect();
    conditions.push(
        json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}),
    );
    pod.set(&["status", "conditions"], conditions);
}
