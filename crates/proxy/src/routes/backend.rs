//! An endpoint as the proxy has met it: how much stands to it, whether it failed lately,
//! and whether it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;
use xebec_dataplane::Endpoint;

/// An endpoint, shared by every route to it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    /// Its pod is gone: whatever stands to it ends.
    pub(crate) gone: CancellationToken,
    connections: AtomicU32,
    suspect_until_ms: AtomicU64,
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            gone: CancellationToken::new(),
            connections: AtomicU32::new(0),
            suspect_until_ms: AtomicU64::new(0),
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

    /// A connect failed: others are tried first until then.
    pub(crate) fn suspect(&self, until_ms: u64) {
        self.suspect_until_ms.store(until_ms, Ordering::Relaxed);
    }

    pub(crate) fn is_suspect(&self, now_ms: u64) -> bool {
        self.suspect_until_ms.load(Ordering::Relaxed) > now_ms
    }
}

/// One connection to a backend.
pub(crate) struct Counted(Arc<Backend>);

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
