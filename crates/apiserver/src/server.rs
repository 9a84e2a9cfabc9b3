//! The apiserver itself: what every request shares. Its verbs are in `verbs/`, one
//! file each; the way through them is in `pipeline/`.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use tokio::time::Instant;
use xebec_state::State;

use crate::authorizer::Authorizer;
use crate::history::History;
use crate::metrics::{Measurements, NodeUsage};
use crate::pipeline::FlowControl;
use crate::pod_streams::NodeDialer;
use crate::service_account::TokenKeys;
use crate::{Settings, Store};

/// Answers requests from a [`Store`].
pub struct ApiServer {
    store: Arc<dyn Store>,
    settings: Settings,
    authorizer: Authorizer,
    flow: FlowControl,
    history: History,
    measurements: Measurements,
    token_keys: ArcSwapOption<TokenKeys>,
    dialer: OnceLock<Arc<dyn NodeDialer>>,
    usage: OnceLock<Arc<dyn NodeUsage>>,
    began: Instant,
}

impl ApiServer {
    /// An apiserver on a store. ServiceAccount tokens work once there are keys: in the
    /// settings, or given later to [`ApiServer::set_token_keys`].
    #[must_use]
    pub fn new(store: Arc<dyn Store>, mut settings: Settings) -> Self {
        let flow = FlowControl::new(settings.max_in_flight);
        let (authorizer, history) = (Authorizer::default(), History::default());
        let measurements = Measurements::default();
        let token_keys = ArcSwapOption::new(settings.token_keys.take().map(Arc::new));
        let (dialer, usage) = (OnceLock::new(), OnceLock::new());
        let began = Instant::now();
        Self { store, settings, authorizer, flow, history, measurements, token_keys, dialer, usage, began }
    }

    /// Gives the keys that sign and verify ServiceAccount tokens.
    pub fn set_token_keys(&self, keys: TokenKeys) {
        self.token_keys.store(Some(Arc::new(keys)));
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What it was started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who may do what. For services beside Resources (logs, exec) to ask.
    #[must_use]
    pub fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    /// The applied state, possibly behind the leader.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.store.state()
    }

    /// When it began: what happens again and again is reckoned from here, so that it happens
    /// together.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    pub(crate) fn flow(&self) -> &FlowControl {
        &self.flow
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    pub(crate) fn dialer_slot(&self) -> &OnceLock<Arc<dyn NodeDialer>> {
        &self.dialer
    }

    pub(crate) fn usage_slot(&self) -> &OnceLock<Arc<dyn NodeUsage>> {
        &self.usage
    }

    pub(crate) fn token_keys(&self) -> Option<Arc<TokenKeys>> {
        self.token_keys.load_full()
    }
}
