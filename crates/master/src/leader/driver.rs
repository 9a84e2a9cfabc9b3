//! Drives the controllers: events to keys, keys to plans, plans to writes. Reconciling
//! happens in this one task, on a view that holds everything written so far; writes of
//! different keys go on side by side.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_controllers::{Controller, ObjectKey, Plan, View as _};

use crate::leader::Term;
use crate::leader::execute::execute;
use crate::leader::feed::{self, News};
use crate::leader::index::Index;
use crate::leader::view::StateView;
use crate::leader::work_queue::{Ended, WorkQueue};

/// Plans that are carried out at the same time.
const MOST_PLANS: usize = 32;
/// Keys reconciled before others get the thread.
const TURN: usize = 64;

/// A controller, by its place, and one of its keys.
type Work = (usize, ObjectKey);

/// What became of a plan: when to look at its key again, or why it was not carried out.
type Outcome = Result<Option<Duration>, ApiError>;

struct Driver {
    controllers: Vec<Box<dyn Controller>>,
    view: StateView,
    queue: WorkQueue<Work>,
    plans: JoinSet<(Work, Outcome)>,
}

/// Drives until the term is over. Plans under way are dropped then.
pub(crate) async fn run(term: Term, controllers: Vec<Box<dyn Controller>>) {
    let over = term.over.clone();
    let returned = term.around.returned.clone();
    let store = term.around.api.store().clone();
    let mut revisions = store.revisions();
    let state = store.state();
    let view = StateView { turn: 0, refusals: BTreeMap::new(), index: Index::of(&state), state, term };
    let mut driver = Driver { controllers, view, queue: WorkQueue::default(), plans: JoinSet::new() };
    driver.add_all();
    loop {
        revisions.borrow_and_update();
        driver.refresh();
        let more = driver.work(Instant::now());
        let due = driver.queue.next_due().unwrap_or_else(|| Instant::now() + Duration::from_secs(60));
        tokio::select! {
            biased;
            () = over.cancelled() => break,
            () = tokio::task::yield_now(), if more => {}
            Some(ended) = driver.plans.join_next(), if !driver.plans.is_empty() => driver.finish(ended),
            changed = revisions.changed() => if changed.is_err() { break },
            () = returned.notified() => driver.add_nodes(),
            () = tokio::time::sleep_until(due) => {}
        }
    }
    driver.plans.shutdown().await;
}

impl Driver {
    fn add_all(&mut self) {
        for (place, controller) in self.controllers.iter().enumerate() {
            for key in controller.initial(&self.view) {
                self.queue.add((place, key));
            }
        }
    }

    /// Looks at every node again: one that was silent is heard of.
    fn add_nodes(&mut self) {
        for node in self.view.list("nodes", None) {
            self.add("nodes", &node);
        }
    }

    fn add(&mut self, resource: &str, object: &Object) {
        for (place, controller) in self.controllers.iter().enumerate() {
            for key in controller.keys(&self.view, resource, object) {
                self.queue.add((place, key));
            }
        }
    }

    /// Goes on to the newest state, and queues what changed on the way.
    fn refresh(&mut self) {
        let state = self.view.term.around.api.store().state();
        let seen = self.view.state.revision();
        if state.revision() == seen {
            return;
        }
        match feed::since(&state, seen) {
            News::Changes(changes) => {
                for change in &changes {
                    self.view.index.follow(change);
                }
                self.view.state = state;
                for change in &changes {
                    self.add(&change.resource, &change.object);
                }
            }
            News::Everything => {
                self.view.index = Index::of(&state);
                self.view.state = state;
                self.add_all();
            }
        }
    }

    /// Reconciles what is ready, a turn at most; true when there may be more.
    fn work(&mut self, now: Instant) -> bool {
        for _ in 0..TURN {
            if self.plans.len() >= MOST_PLANS {
                return false;
            }
            let Some(work) = self.queue.pop(now) else { return false };
            self.view.turn = work.0;
            let controller = &self.controllers[work.0];
            let Some(plan) = self.reconcile(controller.as_ref(), &work.1) else {
                self.queue.finish(work, Ended::Failed, now);
                continue;
            };
            if plan.actions.is_empty() {
                self.view.refusals.remove(&work);
                self.queue.finish(work, Ended::Done(plan.requeue_after), now);
            } else {
                self.carry_out(work, controller.name(), plan);
            }
        }
        true
    }

    /// What a controller would do about a key; `None` when it panicked, which is a defect of it
    /// and no reason to leave every other object, of every controller, alone.
    fn reconcile(&self, controller: &dyn Controller, key: &ObjectKey) -> Option<Plan> {
        let now = self.view.term.around.clock.now();
        let plan = catch_unwind(AssertUnwindSafe(|| controller.reconcile(&self.view, key, now)));
        if plan.is_err() {
            let (resource, namespace, name) = (&key.resource, &key.namespace, &key.name);
            let controller = controller.name();
            tracing::error!(
                controller,
                resource,
                namespace,
                name,
                "a controller panicked: tried again later"
            );
        }
        plan.ok()
    }

    fn carry_out(&mut self, work: Work, controller: &'static str, plan: Plan) {
        let term = self.view.term.clone();
        self.plans.spawn(async move {
            let again = plan.requeue_after;
            let outcome = execute(&term, controller, plan.actions).await.map(|()| again);
            if let Err(error) = &outcome {
                tell(controller, &work.1, error);
            }
            (work, outcome)
        });
    }

    fn finish(&mut self, ended: Result<(Work, Outcome), tokio::task::JoinError>) {
        match ended {
            Ok((work, Ok(again))) => {
                self.view.refusals.remove(&work);
                self.queue.finish(work, Ended::Done(again), Instant::now());
            }
            Ok((work, Err(error))) => {
                if is_refusal(&error) {
                    self.view.refusals.insert(work.clone(), error.message);
                }
                self.queue.finish(work, Ended::Failed, Instant::now());
            }
            // Its key would count as running for ever: end this term's loops, they start again.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Somebody must change something before it can succeed, so it is worth telling.
fn is_refusal(error: &ApiError) -> bool {
    matches!(error.reason, Reason::Forbidden | Reason::Invalid | Reason::BadRequest)
}

/// Conflicts are how loops meet other writers; everything else is worth a line.
fn tell(controller: &str, key: &ObjectKey, error: &ApiError) {
    let (resource, namespace, name) = (&key.resource, &key.namespace, &key.name);
    match error.reason {
        Reason::Conflict | Reason::AlreadyExists | Reason::ServiceUnavailable => {
            tracing::debug!(controller, resource, namespace, name, "tried again later: {error}");
        }
        _ => tracing::warn!(controller, resource, namespace, name, "tried again later: {error}"),
    }
}
