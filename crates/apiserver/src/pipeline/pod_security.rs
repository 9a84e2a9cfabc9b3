//! Pod Security Admission: a namespace's labels say at which level its pods are refused, and at which their makers
//! are warned. Without labels everything may run, as in Kubernetes.

use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::pod_security::violation;
use xebec_state::Key;

use super::{Work, forbidden};
use crate::stored;

/// Where a kind has the spec of a pod.
fn path(storage_name: &str) -> Option<&'static [&'static str]> {
    Some(match storage_name {
        "pods" => &["spec"],
        "podtemplates" => &["template", "spec"],
        "replicationcontrollers"
        | "apps/daemonsets"
        | "apps/deployments"
        | "apps/replicasets"
        | "apps/statefulsets"
        | "batch/jobs" => &["spec", "template", "spec"],
        "batch/cronjobs" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    })
}

/// Refuses a pod, and warns of it and of what makes pods. What does not change was let through before.
pub(super) fn check(work: &Work<'_>, new: &Object, old: Option<&Object>) -> Result<(), ApiError> {
    let row = work.target.row;
    let Some(path) = path(&row.storage_name()) else { return Ok(()) };
    let Some(spec) = new.get(path).filter(|spec| old.and_then(|old| old.get(path)) != Some(*spec)) else {
        return Ok(());
    };
    let Some(entry) = work.state.get(&Key::new("namespaces", "", &work.target.namespace)) else {
        return Ok(());
    };
    let namespace = stored::decode(entry)?;
    if row.kind == "Pod"
        && let Some(why) = violation(&namespace, "enforce", spec)
    {
        return Err(forbidden(row, new.name(), &format!("violates {why}")));
    }
    if let Some(why) = violation(&namespace, "warn", spec) {
        work.ctx.warnings.add(format!("would violate {why}"));
    }
    Ok(())
}
