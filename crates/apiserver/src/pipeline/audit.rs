//! Stage 10: one line a request, with who did what to what and how it ended. Failures
//! that are the server's own are warnings; bodies never appear.

use xebec_api::error::{ApiError, Reason};

use crate::{RequestContext, Target, Verb};

/// Records how a request ended.
pub(crate) fn record(ctx: &RequestContext, verb: Verb, target: &Target, error: Option<&ApiError>) {
    let (user, audit_id, verb) = (&ctx.user.name, &ctx.audit_id, verb.as_str());
    match error {
        Some(error) if is_ours(error.reason) => {
            tracing::warn!(audit_id, user, verb, ?target, %error, "request failed");
        }
        Some(error) => {
            tracing::debug!(audit_id, user, verb, ?target, reason = error.reason.as_str(), "request refused");
        }
        None => tracing::debug!(audit_id, user, verb, ?target, "request done"),
    }
}

fn is_ours(reason: Reason) -> bool {
    matches!(reason, Reason::InternalError | Reason::ServiceUnavailable | Reason::Timeout)
}
