//! Stage 7: the rules of metadata, which are the same for every kind, and the kind's
//! own. All broken rules are named at once; but for those that the object broke before.

use xebec_api::error::{ApiError, Reason};
use xebec_api::metadata;
use xebec_api::object::Object;

use super::Work;
use crate::authorizer::escalation;

pub(crate) fn run(work: &Work<'_>, new: &Object, old: Option<&Object>) -> Result<(), ApiError> {
    let row = work.target.row;
    let mut causes = match old {
        None => metadata::validate(row, new),
        Some(old) => metadata::validate_update(row, new, old),
    };
    let mut own = row.strategy.validate(new);
    if let Some(old) = old.filter(|_| !own.is_empty()) {
        // What an earlier version let through may stay: nobody could tell its status or let it go.
        let known = row.strategy.validate(old);
        own.retain(|cause| !known.contains(cause));
    }
    causes.extend(own);
    if let Some(old) = old {
        causes.extend(row.strategy.validate_update(new, old));
    }
    check_node_restriction(work, new, old)?;
    if !causes.is_empty() {
        return Err(ApiError::invalid(row.group, row.kind, new.name(), causes));
    }
    escalation::check(work, new)
}

/// A node makes no node but itself, may not take its own taints away, nor give itself
/// labels that isolate workloads.
fn check_node_restriction(work: &Work<'_>, new: &Object, old: Option<&Object>) -> Result<(), ApiError> {
    let Some(node) = work.ctx.user.node() else { return Ok(()) };
    let own = matches!(work.target.row.storage_name().as_str(), "nodes" | "coordination.k8s.io/leases");
    if own && new.name() != node {
        let message =
            format!("node {node:?} is not allowed to write {} {:?}", work.target.qualified(), new.name());
        return Err(ApiError::new(Reason::Forbidden, message));
    }
    let Some(old) = old.filter(|_| work.target.row.kind == "Node") else { return Ok(()) };
    let isolating = |object: &Object| -> Vec<(String, String)> {
        let labels = object.labels().filter(|(key, _)| key.contains("node-restriction.kubernetes.io/"));
        labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let taints = ["spec", "taints"];
    let broken = if new.get(&taints) != old.get(&taints) {
        "taints"
    } else if isolating(new) != isolating(old) {
        "node-restriction.kubernetes.io/ labels"
    } else {
        return Ok(());
    };
    let message = format!("node {node:?} is not allowed to modify its {broken}");
    Err(ApiError::new(Reason::Forbidden, message))
}
