//! The API server: the store, the settings and the recent states that lists page over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use xebec_state::State;

use crate::authorizer::Authorizer;
use crate::clock::{Clock, Ids, RandomIds, SystemClock};
use crate::service_account::TokenKeys;
use crate::store::Store;

/// How long a list can be continued at its revision.
const PAGED_FOR: Duration = Duration::from_secs(5 * 60);
/// Lists under way that are remembered.
const MOST_PAGED: usize = 256;

/// What the API is told at start.
pub struct Settings {
    /// The first three bytes of the range that ClusterIPs are taken from, a /16.
    pub service_prefix: [u8; 2],
    /// The ports that NodePorts are taken from, both ends included.
    pub node_ports: (u16, u16),
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Uids and suffixes.
    pub ids: Arc<dyn Ids>,
    /// What ServiceAccount tokens are signed with.
    pub token_keys: Option<TokenKeys>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service_prefix: [10, 43],
            node_ports: (30_000, 32_767),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            token_keys: None,
        }
    }
}

/// The API over one store.
pub struct ApiServer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) authorizer: Authorizer,
    paged: Mutex<BTreeMap<u64, (Timestamp, Arc<State>)>>,
}

impl ApiServer {
    /// An API over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self { store, settings, authorizer: Authorizer::default(), paged: Mutex::default() }
    }

    /// The keys of ServiceAccount tokens, for whoever authenticates them.
    #[must_use]
    pub fn token_keys(&self) -> Option<&TokenKeys> {
        self.settings.token_keys.as_ref()
    }

    /// The replicated store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Keeps a state for the next pages of a list.
    pub(crate) fn remember(&self, state: &Arc<State>) {
        let now = self.settings.clock.now();
        let mut paged = self.paged.lock().expect("no holder of this lock panics");
        paged.retain(|_, (since, _)| now.duration_since(*since).unsigned_abs() < PAGED_FOR);
        if paged.len() >= MOST_PAGED {
            paged.pop_first();
        }
        paged.insert(state.revision(), (now, state.clone()));
    }

    /// The state of a list under way.
    pub(crate) fn recall(&self, revision: u64) -> Option<Arc<State>> {
        let paged = self.paged.lock().expect("no holder of this lock panics");
        paged.get(&revision).map(|(_, state)| state.clone())
    }
}
