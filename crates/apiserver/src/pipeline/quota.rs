//! Stage 8: ResourceQuotas. What a namespace uses is counted from the state that is decided on, and goes into the
//! quota's status by the transaction that adds to it: so of two writes at once, the second is decided again.

use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::quota::{self, Amounts};
use xebec_state::{Key, Precondition};

use super::{Work, forbidden};
use crate::allocation::Allocation;
use crate::stored;

const QUOTAS: &str = "resourcequotas";

/// What stands beside the write of an object; nothing where no quota counts it.
pub(crate) fn charge(work: &Work<'_>, new: &Object, old: Option<&Object>) -> Result<Allocation, ApiError> {
    let (row, namespace) = (work.target.row, work.target.namespace.as_str());
    let mut charged = Allocation::default();
    let (before, after) = (old.map(|old| quota::usage(row, old)).unwrap_or_default(), quota::usage(row, new));
    if !row.namespaced || !grows(&before, &after) {
        return Ok(charged);
    }
    let list = |resource: &str| -> Vec<Object> {
        let found = work.state.list(resource, Some(namespace));
        found.filter_map(|(_, _, entry)| stored::decode(entry).ok()).collect()
    };
    for (_, name, entry) in work.state.list(QUOTAS, Some(namespace)) {
        let mut quota = stored::decode(entry)?;
        if !quota::counts_kind(&quota, row) || !quota::covers(&quota, row, new) {
            continue;
        }
        let silent = old.is_none() && row.storage_name() == "pods";
        if let Some(why) = quota::unsaid(&quota, new).filter(|_| silent) {
            return Err(forbidden(row, new.name(), &format!("failed quota: {name}: {why}")));
        }
        let used = quota::used(&quota, list);
        let then = quota::with(&quota, used.clone(), &before, &after)
            .map_err(|why| forbidden(row, new.name(), &format!("exceeded quota: {name}, {why}")))?;
        if then != used {
            let key = Key::new(QUOTAS, namespace, name);
            quota::tell(&mut quota, &then);
            charged.preconditions.push(Precondition::AtRevision(key.clone(), entry.revision));
            charged.operations.push(stored::put(key, &quota));
        }
    }
    Ok(charged)
}

/// Whether there is more of anything than before.
fn grows(before: &Amounts, after: &Amounts) -> bool {
    after.iter().any(|(name, amount)| before.get(name).is_none_or(|before| amount > before))
}
