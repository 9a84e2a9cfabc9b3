//! Names that are not the cluster's: asked of the host's resolvers, one after the other,
//! and remembered as long as they say.
//!
//! A question that is under way is not asked for another client too, so a resolver that sends
//! our own questions back to us gets no answer out of it, and makes no flood.

mod cache;
mod exchange;
mod reply;
mod resolv_conf;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout};

use crate::query::{Query, bits};
use cache::Cache;
pub(crate) use reply::Reply;
pub(crate) use resolv_conf::upstreams;

/// Questions that may wait for an answer at once, as clients ask them.
const MOST_WAITING: usize = 1024;
/// So many of them may be the same: a name that nobody answers, and somebody asks for again and
/// again, leaves room for others.
const MOST_ALIKE: usize = 512;
/// So many different ones may be under way. Each takes a socket.
const MOST_FLIGHTS: usize = 512;
/// Most clients ask again, or somebody else, after five seconds.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often all of them are asked while none answers: a datagram is lost now and then, and
/// many hosts name a single resolver.
const ROUNDS: usize = 2;
/// How long a resolver that did not answer is asked only after the others.
const AVOIDED: Duration = Duration::from_secs(5);

/// What is asked of others, and remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// Whole, in wire form and in lower case.
    name: Box<[u8]>,
    kind: u16,
    dnssec_ok: bool,
    checking_disabled: bool,
}

impl Question {
    /// What a query asks, of this name.
    pub(crate) fn of(query: &Query<'_>, name: &[u8]) -> Self {
        Self {
            name: name.into(),
            kind: query.kind,
            dnssec_ok: query.edns.is_some_and(|edns| edns.dnssec_ok),
            checking_disabled: query.flags & bits::CHECKING_DISABLED != 0,
        }
    }
}

/// One resolver behind us.
struct Upstream {
    address: SocketAddr,
    /// Until when others come first.
    avoided: Mutex<Option<Instant>>,
}

type Flight = Arc<OnceCell<Option<Arc<Reply>>>>;

/// See the module.
pub(crate) struct Forwarder {
    upstreams: Vec<Upstream>,
    cache: Mutex<Cache>,
    flights: Mutex<HashMap<Question, Flight>>,
    waiting: Semaphore,
}

impl Forwarder {
    /// Over these, the first one before the others.
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        let upstream = |address| Upstream { address, avoided: Mutex::default() };
        Self {
            upstreams: addresses.into_iter().map(upstream).collect(),
            cache: Mutex::new(Cache::default()),
            flights: Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    /// What was answered a while ago, if it is still good.
    pub(crate) fn remembered(&self, question: &Question) -> Option<Arc<Reply>> {
        lock(&self.cache).get(question, Instant::now())
    }

    /// What others answer; `None` when nobody does, or too many wait already.
    pub(crate) async fn ask(&self, question: Question) -> Option<Arc<Reply>> {
        if let Some(reply) = self.remembered(&question) {
            return Some(reply);
        }
        let _slot = self.waiting.try_acquire().ok()?;
        let flight = self.board(&question)?;
        let asked = flight.get_or_init(|| self.ask_in_turn(&question));
        let reply = timeout(PATIENCE, asked).await.ok().cloned().flatten();
        let mut flights = lock(&self.flights);
        if flights.get(&question).is_some_and(|known| Arc::ptr_eq(known, &flight)) {
            flights.remove(&question);
        }
        reply
    }

    /// The flight of a question, a new one where none is under way; `None` when it is full, or
    /// there are too many.
    fn board(&self, question: &Question) -> Option<Flight> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(question) {
            // The table has one of them.
            return (Arc::strong_count(flight) <= MOST_ALIKE).then(|| Arc::clone(flight));
        }
        (flights.len() < MOST_FLIGHTS).then(|| Arc::clone(flights.entry(question.clone()).or_default()))
    }

    /// Asks one after the other, and once more when nobody says anything. A refusal or a
    /// failure is passed on only if nobody knows better.
    async fn ask_in_turn(&self, question: &Question) -> Option<Arc<Reply>> {
        for _ in 0..ROUNDS {
            let mut worst = None;
            for upstream in self.in_order() {
                match exchange::ask(upstream.address, question).await {
                    Ok(reply) if reply.is_final() => {
                        upstream.avoid(None);
                        let reply = Arc::new(reply);
                        lock(&self.cache).insert(question.clone(), Arc::clone(&reply));
                        return Some(reply);
                    }
                    // A part of an answer is better than a failure.
                    Ok(_) if worst.as_ref().is_some_and(|worst: &Arc<Reply>| worst.is_part()) => {}
                    Ok(reply) => worst = Some(Arc::new(reply)),
                    Err(error) => {
                        tracing::debug!(upstream = %upstream.address, %error, "no answer");
                        upstream.avoid(Some(Instant::now() + AVOIDED));
                    }
                }
            }
            if worst.is_some() {
                return worst;
            }
        }
        None
    }

    /// Those that answered last time first.
    fn in_order(&self) -> Vec<&Upstream> {
        let now = Instant::now();
        let mut all: Vec<&Upstream> = self.upstreams.iter().collect();
        all.sort_by_key(|upstream| upstream.is_avoided(now));
        all
    }
}

impl Upstream {
    fn is_avoided(&self, now: Instant) -> bool {
        lock(&self.avoided).is_some_and(|until| now < until)
    }

    fn avoid(&self, until: Option<Instant>) {
        *lock(&self.avoided) = until;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
