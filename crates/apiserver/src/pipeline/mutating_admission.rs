//! Stage 5: what the server adds or keeps beside what the user wrote.

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_state::Key;

use super::{Work, memory_toleration, priority};

pub(crate) fn run(work: &Work<'_>, new: &mut Object, old: Option<&Object>) -> Result<(), ApiError> {
    let row = work.target.row;
    match old {
        None => row.strategy.prepare_create(new),
        Some(old) => row.strategy.prepare_update(new, old),
    }
    if row.storage_name() == "pods" {
        memory_toleration::add(new, old);
        if old.is_none() {
            admit_pod(work, new)?;
        }
    }
    Ok(())
}

/// A ServiceAccount that a pod names must be there; `default` comes by itself.
fn account_exists(work: &Work<'_>, pod: &Object, name: &str) -> Result<(), ApiError> {
    let namespace = pod.namespace();
    if name == "default" || work.state.get(&Key::new("serviceaccounts", namespace, name)).is_some() {
        return Ok(());
    }
    let message = format!(
        "pods {:?} is forbidden: error looking up service account {namespace}/{name}: serviceaccount {name:?} not found",
        pod.name()
    );
    Err(ApiError::new(Reason::Forbidden, message))
}

/// A pod runs as its namespace's ServiceAccount `default` unless it names another.
/// Node agents make no pods here.
fn admit_pod(work: &Work<'_>, pod: &mut Object) -> Result<(), ApiError> {
    if let Some(node) = work.ctx.user.node() {
        let message = format!("node {node:?} may not create pods");
        return Err(ApiError::new(Reason::Forbidden, message));
    }
    if pod.text(&["spec", "serviceAccountName"]).is_empty() {
        let old_field = pod.text(&["spec", "serviceAccount"]).to_owned();
        let name = if old_field.is_empty() { "default".to_owned() } else { old_field };
        pod.set(&["spec", "serviceAccountName"], name);
    }
    let name = pod.text(&["spec", "serviceAccountName"]).to_owned();
    account_exists(work, pod, &name)?;
    pod.set(&["spec", "serviceAccount"], name);
    priority::resolve(work, pod)
}
