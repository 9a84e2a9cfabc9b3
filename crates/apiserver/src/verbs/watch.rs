//! Watch: what happens behind a revision, read from the state's ring of events. A
//! watcher holds nothing but its place in the ring, so a slow one costs no memory; once the
//! ring has moved past its place it is told to list again.
//!
//! A master that is cut off from the others hears of no change, so to be silent there proves
//! nothing: a quiet watch asks for a read point now and then, and ends where there is none,
//! so that its client goes on at another master.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xebec_api::error::{ApiError, Reason};
use xebec_state::State;

use super::list::{Matcher, parse_revision};
use super::method_not_allowed;
use super::watch_events::{bookmark, initial, transition};
use crate::pipeline::Selectors;
use crate::{ApiServer, RequestContext, Store, Target, Verb, WatchEvent, WatchOptions, WatchStream};

/// No watch lasts longer: its client begins another one where it ended.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long a watch is quiet at most: then this master proves that nothing happened, and says
/// so where bookmarks are taken. Well below what clients take for a dead stream.
const PROOF_EVERY: Duration = Duration::from_secs(10);

impl ApiServer {
    /// Follows a collection. Without a revision (or with `0`) what is there comes first, as
    /// ADDED events, then a bookmark if the watcher takes them.
    ///
    /// # Errors
    /// [`ApiError`]; `Expired` when the revision is too old, `Timeout` when it is one that
    /// this master does not reach.
    pub async fn watch(
        &self,
        ctx: &RequestContext,
        target: &Target,
        options: &WatchOptions,
    ) -> Result<WatchStream, ApiError> {
        let work = async {
            target.check_scope(false)?;
            if !target.subresource.is_empty() {
                return Err(method_not_allowed(target, "watch"));
            }
            let matcher = Matcher::parse(target, &options.label_selector, &options.field_selector)?;
            let watcher = self.open(target, matcher, options).await?;
            let stream = futures::stream::unfold(Some(watcher), |watcher| async move {
                let mut watcher = watcher?;
                match watcher.next().await {
                    Ok(None) => None,
                    Ok(Some(event)) => Some((Ok(event), Some(watcher))),
                    Err(error) => Some((Err(error), None)),
                }
            });
            Ok(Box::pin(stream) as WatchStream)
        };
        let selectors = Selectors { field: &options.field_selector };
        self.run(ctx, Verb::Watch, target, selectors, work).await
    }

    async fn open(
        &self,
        target: &Target,
        matcher: Matcher,
        options: &WatchOptions,
    ) -> Result<Watcher, ApiError> {
        let now = Instant::now();
        let mut watcher = Watcher {
            store: self.store().clone(),
            revisions: self.store().revisions(),
            shutdown: self.settings().shutdown.clone(),
            resource: target.row.storage_name(),
            namespace: target.namespace.clone(),
            target: target.clone(),
            matcher,
            place: 0,
            pending: VecDeque::new(),
            bookmarks: options.bookmarks,
            began: self.began(),
            next_proof: next_proof(self.began(), now),
            end: options.timeout.map(|timeout| now + timeout.min(LONGEST)),
        };
        let version = options.resource_version.as_str();
        let anywhere = matches!(version, "" | "0");
        if version.is_empty() {
            self.barrier().await?;
        }
        let revision = if anywhere { 0 } else { parse_revision(version)? };
        self.wait_for(revision).await?;
        let state = self.state();
        if options.initial_events.unwrap_or(anywhere) {
            watcher.start_with(&state)?;
        } else {
            watcher.place = if anywhere { state.revision() } else { revision };
            // Says at once, and not in the stream, that the revision is too old.
            watcher.read(&state)?;
        }
        Ok(watcher)
    }
}

/// All watches ask at the same moments, and so share one read point.
fn next_proof(began: Instant, now: Instant) -> Instant {
    let rounds = now.saturating_duration_since(began).as_secs() / PROOF_EVERY.as_secs();
    began + PROOF_EVERY * u32::try_from(rounds + 1).unwrap_or(u32::MAX)
}

struct Watcher {
    store: Arc<dyn Store>,
    revisions: Receiver<u64>,
    shutdown: CancellationToken,
    resource: String,
    namespace: String,
    target: Target,
    matcher: Matcher,
    /// Everything up to this revision was seen.
    place: u64,
    /// Read from the ring and not sent yet: at most one reading.
    pending: VecDeque<WatchEvent>,
    bookmarks: bool,
    began: Instant,
    next_proof: Instant,
    end: Option<Instant>,
}

impl Watcher {
    fn start_with(&mut self, state: &State) -> Result<(), ApiError> {
        self.pending = initial(state, &self.resource, &self.namespace, &self.matcher)?;
        self.place = state.revision();
        if self.bookmarks {
            self.pending.push_back(bookmark(&self.target, self.place, true));
        }
        Ok(())
    }

    /// The next event, `None` at the end.
    async fn next(&mut self) -> Result<Option<WatchEvent>, ApiError> {
        loop {
            if self.is_over() {
                return Ok(None);
            }
            if let Some(event) = self.pending.pop_front() {
                return Ok(Some(event));
            }
            // Marked as seen before the state is read, so that no batch is missed.
            self.revisions.mark_unchanged();
            let state = self.store.state();
            self.read(&state)?;
            if !self.pending.is_empty() {
                continue;
            }
            let far = Instant::now() + Duration::from_secs(86_400);
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(None),
                () = tokio::time::sleep_until(self.end.unwrap_or(far)), if self.end.is_some() => return Ok(None),
                changed = self.revisions.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
                () = tokio::time::sleep_until(self.next_proof) => {
                    if !self.prove().await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Asks for a read point: what it brought comes next, and then the bookmark. `false` when
    /// this master is stopping.
    async fn prove(&mut self) -> Result<bool, ApiError> {
        let proven = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(false),
            proven = self.store.barrier() => proven,
        };
        proven.map_err(|error| {
            let message = format!("this master cannot tell any more what changes: {error}");
            ApiError::new(Reason::ServiceUnavailable, message)
        })?;
        self.next_proof = next_proof(self.began, Instant::now());
        let state = self.store.state();
        self.read(&state)?;
        if self.bookmarks {
            self.pending.push_back(bookmark(&self.target, self.place, false));
        }
        Ok(true)
    }

    /// Asked before every event: where there is always another one, nothing is waited for.
    fn is_over(&self) -> bool {
        self.shutdown.is_cancelled() || self.end.is_some_and(|end| end <= Instant::now())
    }

    /// Takes what happened since from the ring.
    fn read(&mut self, state: &State) -> Result<(), ApiError> {
        if state.revision() <= self.place {
            return Ok(());
        }
        let events = state.events_after(&self.resource, self.place).map_err(|compacted| {
            let message = format!("too old resource version: {} ({})", self.place, compacted.floor);
            ApiError::new(Reason::Expired, message)
        })?;
        for event in &events {
            if !self.namespace.is_empty() && *event.key.namespace != *self.namespace {
                continue;
            }
            self.pending.extend(transition(event, &self.matcher)?);
        }
        self.place = state.revision();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_fall_together_whenever_a_watch_began() {
        let began = Instant::now();
        let due = [0, 1, 9_999, 10_000, 25_000].map(|millis| {
            next_proof(began, began + Duration::from_millis(millis)).duration_since(began).as_secs()
        });
        assert_eq!(due, [10, 10, 10, 20, 30]);
    }
}
