//! A store in memory, a clock that stands and ids that count: for the tests of this
//! crate and of those that build on it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use xebec_state::{Reply, State, Transaction};

use crate::clock::{Clock, Ids};
use crate::{ApiServer, RequestContext, Settings, Store, StoreError, system_objects};

/// A [`Store`] of one process. It can lag behind writes made elsewhere, as a follower
/// does, and lose the answers of proposals.
pub struct MemoryStore {
    inner: Mutex<Inner>,
    revisions: watch::Sender<u64>,
}

struct Inner {
    /// What the cluster agreed on.
    latest: State,
    /// What this process has applied.
    applied: Arc<State>,
    term: u64,
    faults: VecDeque<Fault>,
    delayed: Option<Transaction>,
    cut_off: bool,
}

/// What happens to the next proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It happens, and the answer is lost.
    AnswerLost,
    /// It does not happen, and the answer is lost.
    ProposalLost,
    /// The answer is lost, and it happens just before the next proposal.
    Delayed,
    /// Nobody leads.
    NoLeader,
}

impl Default for MemoryStore {
    fn default() -> Self {
        let inner = Inner {
            latest: State::default(),
            applied: Arc::default(),
            term: 1,
            faults: VecDeque::new(),
            delayed: None,
            cut_off: false,
        };
        Self { inner: Mutex::new(inner), revisions: watch::Sender::new(0) }
    }
}

impl MemoryStore {
    /// Makes the next proposals fail, one each.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Applies a write of another process: this one sees it at its next barrier or write.
    pub fn propose_elsewhere(&self, transaction: &Transaction) -> Reply {
        let inner = &mut *self.lock();
        apply(&mut inner.latest, transaction, inner.term)
    }

    /// What the cluster agreed on, whatever this process has applied.
    #[must_use]
    pub fn latest(&self) -> State {
        self.lock().latest.clone()
    }

    /// This process reaches no other from now on, or does again: it hears of no write, and no
    /// barrier is met.
    pub fn cut_off(&self, is: bool) {
        self.lock().cut_off = is;
    }

    /// Another term begins: fences of the old one no longer hold.
    pub fn set_term(&self, term: u64) {
        self.lock().term = term;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, inner: &mut Inner) {
        inner.applied = Arc::new(inner.latest.clone());
        self.revisions.send_replace(inner.latest.revision());
    }
}

fn apply(state: &mut State, transaction: &Transaction, term: u64) -> Reply {
    state.apply(transaction, term).expect("no hash is sent along")
}

#[tonic::async_trait]
impl Store for MemoryStore {
    async fn propose(&self, transaction: Transaction) -> Result<Reply, StoreError> {
        // A quorum never answers at once.
        tokio::task::yield_now().await;
        let inner = &mut *self.lock();
        if let Some(delayed) = inner.delayed.take() {
            apply(&mut inner.latest, &delayed, inner.term);
        }
        match inner.faults.pop_front() {
            Some(Fault::Delayed) => {
                inner.delayed = Some(transaction);
                return Err(StoreError::Unknown("a test says so".into()));
            }
            Some(Fault::NoLeader) => return Err(StoreError::NoLeader("a test says so".into())),
            Some(Fault::ProposalLost) => return Err(StoreError::Unknown("a test says so".into())),
            Some(Fault::AnswerLost) => {
                apply(&mut inner.latest, &transaction, inner.term);
                return Err(StoreError::Unknown("a test says so".into()));
            }
            None => {}
        }
        let reply = apply(&mut inner.latest, &transaction, inner.term);
        self.publish(inner);
        Ok(reply)
    }

    async fn barrier(&self) -> Result<(), StoreError> {
        let inner = &mut *self.lock();
        if inner.cut_off {
            return Err(StoreError::NoLeader("a test says so".into()));
        }
        if inner.applied.revision() != inner.latest.revision() {
            self.publish(inner);
        }
        Ok(())
    }

    fn state(&self) -> Arc<State> {
        self.lock().applied.clone()
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.revisions.subscribe()
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl Default for FixedClock {
    fn default() -> Self {
        Self(Mutex::new("2026-11-24T10:00:00Z".parse().expect("a time")))
    }
}

impl FixedClock {
    /// Moves it on.
    pub fn advance(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(SignedDuration::from_secs(seconds)).expect("a test's time");
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids that count from 1.
#[derive(Debug, Default)]
pub struct CountedIds {
    uids: AtomicU64,
    randoms: AtomicU64,
}

impl Ids for CountedIds {
    fn uid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", 1 + self.uids.fetch_add(1, Ordering::Relaxed))
    }

    fn random(&self) -> u64 {
        1 + self.randoms.fetch_add(1, Ordering::Relaxed)
    }
}

/// An apiserver on a [`MemoryStore`], with what a test moves.
pub struct Fixture {
    /// The server.
    pub server: Arc<ApiServer>,
    /// Its store.
    pub store: Arc<MemoryStore>,
    /// Its clock.
    pub clock: Arc<FixedClock>,
    /// Somebody who may do everything.
    pub admin: RequestContext,
}

impl Fixture {
    /// With the namespaces and roles that every cluster has.
    pub async fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(FixedClock::default()));
        let ids = Arc::new(CountedIds::default());
        let settings = Settings { clock: clock.clone(), ids, ..Settings::default() };
        let server = Arc::new(ApiServer::new(store.clone(), settings));
        let admin = RequestContext::internal("test");
        for object in system_objects::all() {
            server.apply_missing(&admin, object).await.expect("a system object is valid");
        }
        Self { server, store, clock, admin }
    }
}
