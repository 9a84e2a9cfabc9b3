//! Stage 2: a bound on what is in work at once, apart for reads and writes, so that
//! neither starves the other. The cluster's own components pass: refusing them would
//! stop the cluster from healing the overload.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use xebec_api::error::{ApiError, Reason};

use crate::{MASTERS_GROUP, NODES_GROUP, RequestContext, Verb};

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Two bounds.
pub(crate) struct FlowControl {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl FlowControl {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        let bound = || Arc::new(Semaphore::new(max_in_flight.clamp(1, Semaphore::MAX_PERMITS)));
        Self { reads: bound(), writes: bound() }
    }

    /// A place, or `TooManyRequests` when none came free in time. A watch gives its
    /// place back once it is open.
    pub(crate) async fn enter(
        &self,
        ctx: &RequestContext,
        verb: Verb,
    ) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        if ctx.user.is_in(MASTERS_GROUP) || ctx.user.is_in(NODES_GROUP) {
            return Ok(None);
        }
        let bound = if verb.is_read() { &self.reads } else { &self.writes };
        match tokio::time::timeout(PATIENCE, bound.clone().acquire_owned()).await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => {
                let message = "too many requests are in work on this master: try again, or another master";
                Err(ApiError::new(Reason::TooManyRequests, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::User;

    #[tokio::test(start_paused = true)]
    async fn the_bound_holds_for_users_and_not_for_the_system() {
        let flow = FlowControl::new(1);
        let user = RequestContext::new(User { name: "jane".into(), ..User::default() }, "a".into());
        let held = flow.enter(&user, Verb::Get).await.expect("the first place");
        let refused = flow.enter(&user, Verb::List).await.expect_err("no second place");
        assert_eq!(refused.reason, Reason::TooManyRequests);
        assert!(flow.enter(&user, Verb::Create).await.is_ok(), "writes have their own bound");
        assert!(flow.enter(&RequestContext::internal("test"), Verb::Get).await.is_ok());
        drop(held);
        assert!(flow.enter(&user, Verb::Get).await.is_ok());
    }
}
