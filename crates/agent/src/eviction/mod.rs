//! Eviction for the node's sake: a node that is short of memory, disk or process ids says so,
//! takes no more pods, and ends those of its own that take more than they asked for, one after
//! another, until it has enough again.
//!
//! ```text
//! Host ─► figures ─► Monitor (pure) ─► pressure ─► the node's conditions, admission
//!                        └─► shortage ─► Taken ─► choice, rank (pure) ─► the pod's worker
//! ```
//! What a node was short of is forgotten when its agent ends, as by the kubelet.

mod admission;
mod choice;
mod figures;
mod importance;
mod monitor;
mod rank;
mod signal;
mod taken;
mod thresholds;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use xebec_api::object::Object;
use xebec_api::pod::is_terminal;
use xebec_client::Cache;

pub(crate) use self::admission::refusal;
pub(crate) use self::choice::Victim;
pub(crate) use self::figures::Host;
#[cfg(test)]
pub(crate) use self::figures::{Figure, Figures};
pub(crate) use self::importance::is_critical;
use self::monitor::{Monitor, Shortage};
use self::signal::Resource;
pub(crate) use self::signal::Signal;
pub use self::thresholds::Eviction;
use crate::node_pressure::Pressure;
use crate::pod::machine::is_running;
use crate::run::Agent;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long an evicted pod may take until another is chosen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at an evicted pod.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What a node that begins says of itself, before anybody looks on.
pub(crate) fn first_look(eviction: &Eviction, host: &Host, now: Timestamp) -> Pressure {
    Monitor::new(eviction).look(&host.figures(), now).pressure
}

/// Looks after the node until its agent stops: who must go is told to `victims`, one at a time.
pub(crate) async fn run(agent: Arc<Agent>, pods: Arc<Cache>, victims: mpsc::Sender<Victim>) {
    let mut keeper = Keeper {
        monitor: Monitor::new(&agent.config.eviction),
        agent: agent.clone(),
        pods,
        victims,
        ended: BTreeSet::new(),
    };
    while agent.stop.run_until_cancelled(keeper.round()).await.is_some() {
        agent.stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
    }
}

struct Keeper {
    agent: Arc<Agent>,
    monitor: Monitor,
    pods: Arc<Cache>,
    victims: mpsc::Sender<Victim>,
    /// Pods that were evicted and have ended, for as long as the API does not say so.
    ended: BTreeSet<String>,
}

impl Keeper {
    /// One look, and one pod at most.
    async fn round(&mut self) {
        let Some(shortage) = self.shortage().await else { return };
        let (resource, pods) = (shortage.signal.resource(), self.running().await);
        let taken = taken::measure(&self.agent, resource, &pods).await.unwrap_or_else(|error| {
            tracing::error!(%error, "what pods take cannot be measured");
            Default::default()
        });
        let candidates = pods.iter().map(|pod| choice::candidate(pod, resource, taken.get(pod.uid())));
        let Some(victim) = choice::choose(&shortage, candidates.collect()) else {
            tracing::warn!(?shortage, "the node is short, and no pod may be evicted");
            return;
        };
        tracing::warn!(pod = victim.name, why = victim.message, "evicted");
        let uid = victim.uid.clone();
        if self.victims.send(victim).await.is_ok() && self.has_ended(&uid).await {
            self.ended.insert(uid);
        }
    }

    /// What there is too little of, also once everything was taken from the disk that nobody misses.
    async fn shortage(&mut self) -> Option<Shortage> {
        let shortage = self.look()?;
        if !matches!(shortage.signal.resource(), Resource::EphemeralStorage | Resource::Inodes) {
            return Some(shortage);
        }
        match self.agent.runtime.reclaim_images().await {
            Ok(true) => self.look(),
            Ok(false) => Some(shortage),
            Err(error) => {
                tracing::warn!(%error, "unused images were not removed");
                Some(shortage)
            }
        }
    }

    /// Measures the node, and says what it is short of.
    fn look(&mut self) -> Option<Shortage> {
        let look = self.monitor.look(&self.agent.host.figures(), self.agent.clock.now());
        self.agent.pressure.send_if_modified(|pressure| {
            let before = std::mem::replace(pressure, look.pressure);
            before != look.pressure
        });
        look.shortage
    }

    /// The pods of this node that hold something of it.
    async fn running(&mut self) -> Vec<Arc<Object>> {
        let mut pods = self.pods.list();
        self.ended.retain(|uid| pods.iter().any(|pod| pod.uid() == uid));
        let sandboxes = self.agent.runtime.list().await.unwrap_or_default();
        let is_held = |uid: &str| sandboxes.iter().any(|sandbox| sandbox.pod_uid == uid && sandbox.alive);
        pods.retain(|pod| !is_terminal(pod) && is_held(pod.uid()) && !self.ended.contains(pod.uid()));
        pods
    }

    /// Waits for nothing of a pod to run any more; whether it came to that.
    async fn has_ended(&self, uid: &str) -> bool {
        let ended = async {
            loop {
                tokio::time::sleep(ASK_EVERY).await;
                let Ok(sandboxes) = self.agent.runtime.list().await else { continue };
                let own = sandboxes.iter().filter(|sandbox| sandbox.pod_uid == uid && sandbox.alive);
                if !own.flat_map(|sandbox| &sandbox.containers).any(is_running) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.is_ok()
    }
}
