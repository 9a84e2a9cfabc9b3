//! Stage 3: a bound on what is in work at once, apart for reads and writes, so that
//! neither starves the other; and before it two of which each user has a share: one on the
//! bodies that are on their way, so that who sends slowly keeps nobody else waiting, and one
//! on refusals that are decided a second time, so that who may do nothing cannot keep the
//! leader busy with asking. The cluster's own components pass: refusing them would stop the
//! cluster from healing the overload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use xebec_api::error::{ApiError, Reason};

use crate::{MASTERS_GROUP, NODES_GROUP, RequestContext, Verb};

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A user's share is a quarter of the places, at most.
const SHARES: usize = 4;

/// The bounds.
pub(crate) struct FlowControl {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    bodies: Shared,
    refusals: Shared,
}

impl FlowControl {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        let places = max_in_flight.clamp(1, Semaphore::MAX_PERMITS);
        let bound = || Arc::new(Semaphore::new(places));
        let (bodies, refusals) = (Shared::new(places), Shared::new(places));
        Self { reads: bound(), writes: bound(), bodies, refusals }
    }

    /// A place in work, or `TooManyRequests` when none came free in time. A watch gives its
    /// place back once it is open.
    pub(crate) async fn enter(
        &self,
        ctx: &RequestContext,
        verb: Verb,
    ) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        if passes(ctx) {
            return Ok(None);
        }
        let bound = if verb.is_read() { &self.reads } else { &self.writes };
        in_time(async { bound.clone().acquire_owned().await.ok() }).await
    }

    /// A place for the body of a write, from before it is waited for until the write is in
    /// work, or `TooManyRequests` when none came free in time.
    pub(crate) async fn receive(
        &self,
        ctx: &RequestContext,
        verb: Verb,
    ) -> Result<Option<[OwnedSemaphorePermit; 2]>, ApiError> {
        if passes(ctx) || verb.is_read() {
            return Ok(None);
        }
        self.bodies.take(&ctx.user.name).await
    }

    /// A place for the second decision of a refusal, or `TooManyRequests` when none came free
    /// in time.
    pub(crate) async fn reconsider(
        &self,
        ctx: &RequestContext,
    ) -> Result<Option<[OwnedSemaphorePermit; 2]>, ApiError> {
        if passes(ctx) {
            return Ok(None);
        }
        self.refusals.take(&ctx.user.name).await
    }
}

/// Places of which one user has a share and no more.
struct Shared {
    all: Arc<Semaphore>,
    share: usize,
    /// The share of each user who holds or wants a place.
    shares: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Shared {
    fn new(places: usize) -> Self {
        let (all, share) = (Arc::new(Semaphore::new(places)), places.div_ceil(SHARES));
        Self { all, share, shares: Mutex::default() }
    }

    async fn take(&self, user: &str) -> Result<Option<[OwnedSemaphorePermit; 2]>, ApiError> {
        let (own, all) = (self.share_of(user), self.all.clone());
        // The user's own first: who waits for it keeps nobody else waiting.
        in_time(async { Some([own.acquire_owned().await.ok()?, all.acquire_owned().await.ok()?]) }).await
    }

    fn share_of(&self, user: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.retain(|_, share| Arc::strong_count(share) > 1);
        shares.entry(user.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.share))).clone()
    }
}

fn passes(ctx: &RequestContext) -> bool {
    ctx.user.is_in(MASTERS_GROUP) || ctx.user.is_in(NODES_GROUP)
}

async fn in_time<T>(place: impl Future<Output = Option<T>>) -> Result<Option<T>, ApiError> {
    tokio::time::timeout(PATIENCE, place).await.map_err(|_| {
        let message = "too many requests are in work on this master: try again, or another master";
        ApiError::new(Reason::TooManyRequests, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::User;

    fn named(name: &str) -> RequestContext {
        RequestContext::new(User { name: name.into(), ..User::default() }, "a".into())
    }

    #[tokio::test(start_paused = true)]
    async fn the_bound_holds_for_users_and_not_for_the_system() {
        let flow = FlowControl::new(1);
        let user = named("jane");
        let held = flow.enter(&user, Verb::Get).await.expect("the first place");
        let refused = flow.enter(&user, Verb::List).await.expect_err("no second place");
        assert_eq!(refused.reason, Reason::TooManyRequests);
        assert!(flow.enter(&user, Verb::Create).await.is_ok(), "writes have their own bound");
        assert!(flow.enter(&RequestContext::internal("test"), Verb::Get).await.is_ok());
        drop(held);
        assert!(flow.enter(&user, Verb::Get).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn each_user_has_a_share_of_the_bodies_on_their_way() {
        let flow = FlowControl::new(8);
        let mut held = Vec::new();
        for name in ["a", "a", "b", "b", "c", "c", "d"] {
            held.push(flow.receive(&named(name), Verb::Create).await.expect("a place of its share"));
        }
        let refused = flow.receive(&named("a"), Verb::Create).await.expect_err("a quarter is its share");
        assert_eq!(refused.reason, Reason::TooManyRequests);
        held.push(flow.receive(&named("e"), Verb::Create).await.expect("the last place"));
        flow.receive(&named("d"), Verb::Create).await.expect_err("all places are held");
        assert!(flow.receive(&RequestContext::internal("test"), Verb::Create).await.is_ok());
        assert!(flow.receive(&named("a"), Verb::Get).await.is_ok(), "what is read comes without a body");
        assert!(flow.enter(&named("a"), Verb::Create).await.is_ok(), "nothing is in work");
        held.clear();
        assert!(flow.receive(&named("a"), Verb::Create).await.is_ok());
        let known = flow.bodies.shares.lock().expect("not poisoned").len();
        assert_eq!(known, 1, "who sends nothing is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn each_user_has_a_share_of_the_refusals_that_are_decided_again() {
        let flow = FlowControl::new(4);
        let held = flow.reconsider(&named("a")).await.expect("its share");
        let refused = flow.reconsider(&named("a")).await.expect_err("a quarter is its share");
        assert_eq!(refused.reason, Reason::TooManyRequests);
        assert!(flow.reconsider(&named("b")).await.is_ok(), "others have theirs");
        assert!(flow.reconsider(&RequestContext::internal("test")).await.is_ok());
        assert!(flow.receive(&named("a"), Verb::Create).await.is_ok(), "bodies have their own bound");
        drop(held);
        assert!(flow.reconsider(&named("a")).await.is_ok());
    }
}
