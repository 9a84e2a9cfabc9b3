//! Connections to endpoints that wait for their next request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use crate::body::RequestBody;

/// A connection to an endpoint, as one who sends a request holds it.
pub(crate) type Sender = SendRequest<RequestBody>;

/// A connection waits for so long.
pub(crate) const KEEP: Duration = Duration::from_secs(30);
/// So many wait for one endpoint.
const MOST_FOR_ONE: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<SocketAddr, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

impl Idle {
    fn is_good(&self, now: Instant) -> bool {
        !self.sender.is_closed() && now.duration_since(self.since) < KEEP
    }
}

impl Pool {
    /// The connection to an endpoint that was used last.
    pub(crate) fn take(&self, endpoint: SocketAddr) -> Option<Sender> {
        let mut idle = self.lock();
        let waiting = idle.get_mut(&endpoint)?;
        let now = Instant::now();
        while let Some(last) = waiting.pop() {
            if last.is_good(now) {
                return Some(last.sender);
            }
        }
        None
    }

    /// Keeps a connection whose request is done.
    pub(crate) fn put(&self, endpoint: SocketAddr, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        let waiting = idle.entry(endpoint).or_default();
        if waiting.len() < MOST_FOR_ONE {
            waiting.push(Idle { sender, since: Instant::now() });
        }
    }

    /// Closes the connection that has waited for longest; whether there was one.
    pub(crate) fn close_one(&self) -> bool {
        let mut idle = self.lock();
        idle.values_mut().for_each(|waiting| waiting.retain(|idle| !idle.sender.is_closed()));
        let waiting = idle.values_mut().filter(|waiting| !waiting.is_empty());
        // The last one of an endpoint is the one that was used last.
        let oldest = waiting.min_by_key(|waiting| waiting[0].since);
        oldest.map(|waiting| waiting.remove(0)).is_some()
    }

    /// Forgets connections that are closed or waited too long.
    pub(crate) fn tidy(&self) {
        let now = Instant::now();
        self.lock().retain(|_, waiting| {
            waiting.retain(|idle| idle.is_good(now));
            !waiting.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
