//! What runs only on the Raft leader, on its applied state: the controllers, the
//! scheduler, and two small chores. Everything they write carries the term, so a deposed
//! leader's loops change nothing even while they are still being stopped.
//!
//! ```text
//! applied state ─► feed (what changed) ─► index ─► keys ─► work queue ─► reconcile
//!        ▲                                                                  │ plan
//!        └──────────────── API server, fenced by the term ◄─ execute ◄──────┘
//! ```

mod driver;
mod event_expiry;
mod events;
mod execute;
mod feed;
mod hash_check;
mod index;
mod scheduling;
#[cfg(test)]
mod tests;
mod view;
mod work_queue;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xebec_apiserver::ApiServer;
use xebec_apiserver::clock::{Clock, SystemClock};
use xebec_controllers::ClusterSettings;
use xebec_raft::Leadership;

use crate::master::Shared;

/// How long after a loop failed the loops start again.
const PAUSE: Duration = Duration::from_secs(1);

/// When a node's agent was last heard of.
pub(crate) type LastSeen = Arc<dyn Fn(&str) -> Option<Timestamp> + Send + Sync>;
/// Where clients reach the masters: `host:port`, in a stable order.
pub(crate) type Masters = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the loops work with.
pub(crate) struct Surroundings {
    /// Where they read and write.
    pub(crate) api: Arc<ApiServer>,
    /// The cluster's settings.
    pub(crate) settings: ClusterSettings,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What the sessions know.
    pub(crate) last_seen: LastSeen,
    /// The members.
    pub(crate) masters: Masters,
    /// Told when a node is heard of that was silent, or that was never heard of.
    pub(crate) returned: Arc<Notify>,
}

/// One term of this master's leadership.
#[derive(Clone)]
pub(crate) struct Term {
    pub(crate) number: u64,
    /// By a clock that nobody sets, as are the nodes' signs of life.
    pub(crate) since: Instant,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) over: CancellationToken,
}

/// Runs a master's loops whenever it leads, until it stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let (leadership, stop) = (shared.node.leadership(), shared.stop.clone());
    lead(Arc::new(Surroundings::of(&shared)), leadership, stop).await;
}

impl Surroundings {
    fn of(shared: &Arc<Shared>) -> Self {
        let (node_timeout, eviction_timeout) = shared.config.node_timeouts();
        let settings = ClusterSettings {
            pod_cidr: shared.config.cluster.pod_cidr.clone(),
            service_cidr: shared.config.cluster.service_cidr.clone(),
            node_timeout,
            eviction_timeout,
            ca_pem: shared.keys.authority.certificate().to_owned(),
            ..ClusterSettings::default()
        };
        let (seen, members) = (shared.clone(), shared.clone());
        Self {
            api: shared.api.clone(),
            settings,
            clock: Arc::new(SystemClock),
            last_seen: Arc::new(move |node| Some(ago(SystemClock.now(), seen.liveness.silence(node)?))),
            masters: Arc::new(move || {
                let mut all: Vec<String> =
                    members.node.members().into_iter().map(|member| member.member.client_address).collect();
                all.sort();
                all
            }),
            returned: shared.liveness.returned(),
        }
    }
}

/// What the time was so long before.
pub(crate) fn ago(now: Timestamp, age: Duration) -> Timestamp {
    now.checked_sub(age).unwrap_or(now)
}

/// Runs the loops whenever this master leads, until `stop`. They have all ended when
/// this returns, and before they start in another term.
pub(crate) async fn lead(
    around: Arc<Surroundings>,
    mut leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
) {
    loop {
        let term = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            leads = leadership.wait_for(|leadership| leadership.leading.is_some()) => match leads {
                Ok(leads) => leads.leading.expect("waited for it"),
                Err(_) => return,
            },
        };
        let over = stop.child_token();
        let mut loops =
            start(&Term { number: term, since: Instant::now(), around: around.clone(), over: over.clone() });
        tracing::info!(term, "this master leads: its loops run");
        // In this order: loops that were told to stop have not failed.
        let failed = tokio::select! {
            biased;
            () = stop.cancelled() => false,
            _ = leadership.wait_for(|leadership| leadership.leading != Some(term)) => false,
            ended = loops.join_next() => {
                tracing::error!(term, ?ended, "one of the leader's loops failed: all start again");
                true
            }
        };
        over.cancel();
        while loops.join_next().await.is_some() {}
        tracing::info!(term, "the leader's loops have stopped");
        if failed {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

fn start(term: &Term) -> JoinSet<()> {
    let mut loops = JoinSet::new();
    loops.spawn(driver::run(term.clone(), xebec_controllers::all()));
    loops.spawn(scheduling::run(term.clone()));
    loops.spawn(hash_check::run(term.clone()));
    loops.spawn(event_expiry::run(term.clone()));
    loops
}
