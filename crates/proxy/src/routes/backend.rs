//! An endpoint as the proxy has met it: what stands to it, whether it failed lately, and
//! whether it is gone.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{AbortHandle, AbortRegistration};
use slab::Slab;
use xebec_dataplane::Endpoint;

/// An endpoint, shared by every route to it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    connections: AtomicU32,
    suspect_until_ms: AtomicU64,
    standing: Mutex<Standing>,
}

/// What ends with the endpoint. A connection is told by its handle, so that it need not ask
/// each time that it moves bytes.
#[derive(Debug, Default)]
struct Standing {
    gone: bool,
    relays: Slab<AbortHandle>,
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            connections: AtomicU32::new(0),
            suspect_until_ms: AtomicU64::new(0),
            standing: Mutex::default(),
        }
    }

    /// Connections and flows that stand now.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn count(self: Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    /// Its pod is gone: whatever stands to it ends, and what comes late ends at once.
    pub(crate) fn end(&self) {
        let mut standing = self.standing();
        standing.gone = true;
        standing.relays.iter().for_each(|(_, relay)| relay.abort());
    }

    /// Whether its pod is gone.
    #[cfg(test)]
    pub(crate) fn is_gone(&self) -> bool {
        self.standing().gone
    }

    /// A connection did not work out: others are tried first until then.
    pub(crate) fn suspect(&self, until_ms: u64) {
        self.suspect_until_ms.store(until_ms, Ordering::Relaxed);
    }

    pub(crate) fn is_suspect(&self, now_ms: u64) -> bool {
        self.suspect_until_ms.load(Ordering::Relaxed) > now_ms
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection or flow to a backend.
pub(crate) struct Counted(Arc<Backend>);

impl Counted {
    /// What ends a relay when the endpoint is gone, for as long as the guard lives.
    pub(crate) fn relay(&self) -> (Relay<'_>, AbortRegistration) {
        let (handle, registration) = AbortHandle::new_pair();
        let mut standing = self.standing();
        if standing.gone {
            handle.abort();
        }
        let key = standing.relays.insert(handle);
        (Relay { backend: self, key }, registration)
    }
}

impl std::ops::Deref for Counted {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A relay that stands.
pub(crate) struct Relay<'a> {
    backend: &'a Backend,
    key: usize,
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        self.backend.standing().relays.remove(self.key);
    }
}
