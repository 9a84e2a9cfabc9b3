//! Stage 5: what the server adds or keeps beside what the user wrote.

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use super::Work;

pub(crate) fn run(work: &Work<'_>, new: &mut Object, old: Option<&Object>) -> Result<(), ApiError> {
    let row = work.target.row;
    match old {
        None => row.strategy.prepare_create(new),
        Some(old) => row.strategy.prepare_update(new, old),
    }
    if old.is_none() && row.storage_name() == "pods" {
        admit_pod(work, new)?;
    }
    Ok(())
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
    pod.set(&["spec", "serviceAccount"], name);
    Ok(())
}
