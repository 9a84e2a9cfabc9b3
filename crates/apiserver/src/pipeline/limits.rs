//! LimitRanges, between defaulting and validation for what they give, and behind validation for what they forbid.

use xebec_api::error::ApiError;
use xebec_api::limit_range;
use xebec_api::object::Object;
use xebec_api::pod::qos_class;

use super::{Work, forbidden, memory_toleration};
use crate::stored;

const RANGES: &str = "limitranges";

/// Gives a new pod what its containers did not ask for.
pub(super) fn give_defaults(work: &Work<'_>, new: &mut Object, old: Option<&Object>) -> Result<(), ApiError> {
    if old.is_some() || work.target.row.storage_name() != "pods" {
        return Ok(());
    }
    if limit_range::give_defaults(&ranges(work)?, new) {
        new.set(&["status", "qosClass"], qos_class(new));
        // It asks for something now.
        memory_toleration::add(new, None);
    }
    Ok(())
}

/// Refuses what asks for too much or too little: new pods, and claims, which may grow.
pub(super) fn check(work: &Work<'_>, new: &Object, old: Option<&Object>) -> Result<(), ApiError> {
    let row = work.target.row;
    let broken = match row.storage_name().as_str() {
        "pods" if old.is_none() => limit_range::broken_by_pod(&ranges(work)?, new),
        "persistentvolumeclaims" => limit_range::broken_by_claim(&ranges(work)?, new),
        _ => return Ok(()),
    };
    let why = match broken.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(forbidden(row, new.name(), &why))
}

/// Every LimitRange of the namespace.
fn ranges(work: &Work<'_>) -> Result<Vec<Object>, ApiError> {
    let found = work.state.list(RANGES, Some(work.target.namespace.as_str()));
    found.map(|(_, _, entry)| stored::decode(entry)).collect()
}
