//! Stage 8: ResourceQuota. Empty: quotas are stored and not yet enforced; what will
//! enforce them adds preconditions on the quota's object to the transaction.

use xebec_api::error::ApiError;
use xebec_api::object::Object;

use super::Work;

#[allow(clippy::unnecessary_wraps)]
pub(crate) fn run(_work: &Work<'_>, _new: &Object, _old: Option<&Object>) -> Result<(), ApiError> {
    Ok(())
}
