//! Stage 9: decide, propose, and decide again when the state moved.
//!
//! ```text
//!        ┌──────────── barrier ◄── refused, or decided to fail on a state that is behind
//!        ▼                                 ▲
//!  state ─► decide (pure) ─► transaction ─► propose ─► applied ─► answer
//!                                              │
//!                                           unknown ─► barrier ─► did it land? ─► yes ─► answer
//! ```
//!
//! Invariant: every transaction carries preconditions on what it read, so a proposal
//! that is still under way when it is decided again cannot happen twice.

use std::sync::Arc;

use xebec_api::error::{ApiError, Reason};
use xebec_state::{EventKind, Operation, Refusal, Reply, State, Transaction};

use crate::{ApiServer, RequestContext, StoreError};

/// How often a write is decided before its contention is given back to the caller.
const MAX_ATTEMPTS: usize = 32;

/// What a verb wants to happen and how it answers once it did.
pub(crate) struct Decision<T> {
    /// Nothing is proposed when it has no operations.
    pub(crate) transaction: Transaction,
    /// From the revisions of the operations; they are empty when nothing was proposed.
    pub(crate) finish: Finish<T>,
}

type Finish<T> = Box<dyn FnOnce(&[u64]) -> T + Send>;

impl<T: 'static> Decision<T> {
    /// Nothing to write.
    pub(crate) fn nothing(answer: T) -> Self
    where
        T: Send,
    {
        Self { transaction: Transaction::default(), finish: Box::new(|_| answer) }
    }
}

/// A proposal whose outcome is unknown.
struct Attempt<T> {
    transaction: Transaction,
    /// The revision it was decided at.
    base: u64,
    finish: Finish<T>,
}

/// What one proposal came to.
enum Round<T> {
    Done(T),
    /// Decide again: something moved.
    Moved,
    Unknown(Attempt<T>, String),
}

impl ApiServer {
    /// Waits until this master has applied all that was acknowledged anywhere.
    pub(crate) async fn barrier(&self) -> Result<(), ApiError> {
        Ok(self.store().barrier().await?)
    }

    /// Decides and proposes until it happened, or failed for good.
    pub(crate) async fn commit<T>(
        &self,
        ctx: &RequestContext,
        mut decide: impl FnMut(&Arc<State>) -> Result<Decision<T>, ApiError> + Send,
    ) -> Result<T, ApiError> {
        let mut unknown: Vec<Attempt<T>> = Vec::new();
        let mut fresh = false;
        for _ in 0..MAX_ATTEMPTS {
            let state = self.state();
            if let Some(answer) = settle(&state, &mut unknown)? {
                return Ok(answer);
            }
            let decision = match decide(&state) {
                Ok(decision) => decision,
                Err(error) if fresh => return Err(error),
                Err(error) => {
                    self.barrier().await.map_err(|error| still_unknown(error, &unknown))?;
                    fresh = true;
                    if self.state().revision() == state.revision() {
                        return Err(error);
                    }
                    continue;
                }
            };
            if ctx.dry_run || decision.transaction.operations.is_empty() {
                return Ok((decision.finish)(&[]));
            }
            let round = self.round(ctx, decision, state.revision()).await;
            let round = round.map_err(|error| still_unknown(error, &unknown))?;
            match round {
                Round::Done(answer) => return Ok(answer),
                Round::Moved => self.barrier().await.map_err(|error| still_unknown(error, &unknown))?,
                Round::Unknown(attempt, why) => {
                    self.store().barrier().await.map_err(|_| unknown_outcome(&why))?;
                    unknown.push(attempt);
                }
            }
            fresh = true;
        }
        let message = "the objects of this write kept changing: try again";
        Err(ApiError::new(Reason::Conflict, message))
    }

    async fn round<T>(
        &self,
        ctx: &RequestContext,
        decision: Decision<T>,
        base: u64,
    ) -> Result<Round<T>, ApiError> {
        let transaction = Transaction { fence: ctx.fence, ..decision.transaction };
        match self.store().propose(transaction.clone()).await {
            Ok(Reply::Applied { revisions }) => Ok(Round::Done((decision.finish)(&revisions))),
            Ok(Reply::Refused(Refusal::Fenced { term })) => Err(fenced(term)),
            Ok(Reply::Refused(Refusal::Precondition { .. })) => Ok(Round::Moved),
            Err(StoreError::Unknown(why)) => {
                Ok(Round::Unknown(Attempt { transaction, base, finish: decision.finish }, why))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The answer of the first proposal of unknown outcome that turns out to have happened.
fn settle<T>(state: &State, unknown: &mut Vec<Attempt<T>>) -> Result<Option<T>, ApiError> {
    for index in 0..unknown.len() {
        match landed(state, &unknown[index].transaction, unknown[index].base) {
            Landed::Yes(revisions) => return Ok(Some((unknown.swap_remove(index).finish)(&revisions))),
            Landed::Lost => return Err(unknown_outcome("its events are gone")),
            Landed::No => {}
        }
    }
    Ok(None)
}

/// Whether a proposal happened.
#[derive(Debug, PartialEq, Eq)]
enum Landed {
    Yes(Vec<u64>),
    No,
    /// The events that would tell are gone.
    Lost,
}

/// Looks for the events of a proposal's operations behind `base`: a put by its exact bytes.
fn landed(state: &State, transaction: &Transaction, base: u64) -> Landed {
    let mut revisions = Vec::new();
    for operation in &transaction.operations {
        let (Operation::Put(key, _) | Operation::Delete(key)) = operation;
        let Ok(events) = state.events_after(&key.resource, base) else { return Landed::Lost };
        let found = events.iter().find(|event| {
            event.key == *key
                && match operation {
                    Operation::Put(_, value) => event.kind != EventKind::Deleted && event.value == *value,
                    Operation::Delete(_) => event.kind == EventKind::Deleted,
                }
        });
        match found {
            Some(event) => revisions.push(event.revision),
            None => return Landed::No,
        }
    }
    Landed::Yes(revisions)
}

fn unknown_outcome(why: &str) -> ApiError {
    StoreError::Unknown(why.to_owned()).into()
}

/// That nothing happened is said of the last proposal. An earlier one may still happen.
fn still_unknown<T>(error: ApiError, unknown: &[Attempt<T>]) -> ApiError {
    if error.reason == Reason::ServiceUnavailable && !unknown.is_empty() {
        return unknown_outcome(&error.message);
    }
    error
}

fn fenced(term: u64) -> ApiError {
    let message = format!("this master no longer leads (term {term} does now): nothing was changed");
    ApiError::new(Reason::Conflict, message)
}
