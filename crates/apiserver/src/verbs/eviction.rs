//! The subresource `eviction` of pods: a delete that a PodDisruptionBudget may refuse.
//!
//! What a budget bears is counted from the state that is decided on, and written into its status by the transaction
//! that deletes the pod: so of two evictions at once, the second is decided again.

use serde_json::{Value, json};
use xebec_api::disruption::{self, Disruptions};
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::pod::{is_ready, is_terminal, phase};
use xebec_state::{Key, Precondition, State};

use super::{delete, read, revision};
use crate::pipeline::Work;
use crate::{ApiServer, DeleteOptions, RequestContext, Target, options, stored};

const BUDGETS: &str = "policy/poddisruptionbudgets";

impl ApiServer {
    pub(super) async fn create_eviction(
        &self,
        ctx: &RequestContext,
        target: &Target,
        eviction: &Object,
    ) -> Result<Object, ApiError> {
        target.check_name()?;
        let (options, tried) = deletion(eviction)?;
        let ctx = RequestContext { dry_run: ctx.dry_run || tried, ..ctx.clone() };
        let pod = target.clone().subresource("");
        self.commit(&ctx, |state| {
            let work = Work::new(self, &ctx, &pod, state);
            let old = read(state, &pod)?;
            let spent = spend(state, &old)?;
            let mut decision = delete::decide(&work, &old, &options)?;
            if let Some((key, budget)) = spent {
                let transaction = &mut decision.transaction;
                transaction.preconditions.push(Precondition::AtRevision(key.clone(), revision(&budget)));
                transaction.operations.push(stored::put(key, &budget));
            }
            Ok(decision)
        })
        .await?;
        let success =
            json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": 201});
        let Value::Object(map) = success else { unreachable!("a literal map") };
        Ok(Object::from_map(map))
    }
}

/// The options of the delete, and whether it is tried out only: kubectl says so here, and not in the
/// query.
fn deletion(eviction: &Object) -> Result<(DeleteOptions, bool), ApiError> {
    match eviction.get(&["deleteOptions"]) {
        None | Some(Value::Null) => Ok((DeleteOptions::default(), false)),
        Some(Value::Object(map)) => options::of_delete(&Object::from_map(map.clone())),
        Some(_) => Err(ApiError::new(Reason::BadRequest, "deleteOptions: expected an object")),
    }
}

/// The budget that the pod is under, as it is once the pod is gone; nothing where none has a say.
fn spend(state: &State, pod: &Object) -> Result<Option<(Key, Object)>, ApiError> {
    // Nobody misses these.
    if is_terminal(pod) || phase(pod) == "Pending" || pod.is_terminating() {
        return Ok(None);
    }
    let mut budgets = covering(state, BUDGETS, pod.namespace(), |budget| disruption::covers(budget, pod))?;
    let Some(mut budget) = budgets.pop() else { return Ok(None) };
    if !budgets.is_empty() {
        let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(ApiError::new(Reason::InternalError, why));
    }
    let pods = covering(state, "pods", pod.namespace(), |pod| disruption::covers(&budget, pod))?;
    let find = |resource: &str, name: &str| {
        let entry = state.get(&Key::new(resource, pod.namespace(), name))?;
        stored::decode(entry).ok()
    };
    let mut counted = disruption::count(&budget, &pods, find).map_err(refused)?;
    if !is_ready(pod) && may_go_unready(&budget, &counted) {
        return Ok(None);
    }
    if counted.allowed() == 0 {
        let Disruptions { desired, healthy, .. } = counted;
        let name = budget.name();
        return Err(refused(format!(
            "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )));
    }
    counted.healthy -= i64::from(is_ready(pod));
    counted.tell(&mut budget);
    Ok(Some((Key::new(BUDGETS, budget.namespace(), budget.name()), budget)))
}

/// Every object of a namespace that something is true of.
fn covering(
    state: &State,
    resource: &str,
    namespace: &str,
    is_wanted: impl Fn(&Object) -> bool,
) -> Result<Vec<Object>, ApiError> {
    let mut found = Vec::new();
    for (_, _, entry) in state.list(resource, Some(namespace)) {
        let object = stored::decode(entry)?;
        if is_wanted(&object) {
            found.push(object);
        }
    }
    Ok(found)
}

/// Whether a pod that serves nobody may go without asking how many others do.
fn may_go_unready(budget: &Object, counted: &Disruptions) -> bool {
    let always = budget.text(&["spec", "unhealthyPodEvictionPolicy"]) == "AlwaysAllow";
    always || counted.desired > 0 && counted.healthy >= counted.desired
}

/// In Kubernetes' words, by which clients know that it is a budget and not the server which is busy.
fn refused(why: String) -> ApiError {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut error = ApiError::new(Reason::TooManyRequests, message);
    error.causes.push(FieldError::new("DisruptionBudget", "", why));
    // Told when to ask again, clients do so silently; told nothing, they say what they wait for.
    error.details.insert("retryAfterSeconds".into(), 0.into());
    error
}
