//! The pods that the API binds to this node, one worker each. What the runtime still
//! has and the API does not is removed, but only after a whole list from the API. Who must go
//! for the node's sake is told to its worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_client::{Cache, Change, Selection};

use crate::eviction::{self, Victim};
use crate::pod::worker::{self, Wanted};
use crate::probe::Verdict;
use crate::run::Agent;

/// What probes, hooks and others found, and a worker has not heard yet.
const VERDICTS: usize = 64;

/// Follows the pods until the agent stops.
pub(crate) async fn run(agent: Arc<Agent>) {
    let row = table::find("", "pods").expect("a built-in kind");
    let mut selection = Selection::all(row);
    selection.field_selector = format!("spec.nodeName={}", agent.config.name);
    let (cache, mut changes) = Cache::start(agent.client.clone(), selection);
    let mut workers = Workers { agent: agent.clone(), by_uid: BTreeMap::new(), tasks: JoinSet::new() };
    // Without the Services, a pod would start without their variables and its DNS server.
    let synced = async { cache.synced().await && agent.services.synced().await };
    tokio::select! {
        synced = synced => if !synced { return },
        () = agent.stop.cancelled() => return,
    }
    workers.adopt(&cache).await;
    let (victims, mut chosen) = mpsc::channel(1);
    let mut keeper = JoinSet::new();
    keeper.spawn(eviction::run(agent.clone(), cache.clone(), victims));
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(Change::Applied(pod)) => workers.want(&pod),
                Ok(Change::Deleted(pod)) => workers.gone(pod.uid()),
                // Some were missed: the whole says what they were.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => workers.adopt(&cache).await,
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            },
            Some(victim) = chosen.recv() => workers.evict(victim),
            Some(ended) = workers.tasks.join_next() => match ended {
                Ok(uid) => drop(workers.by_uid.remove(&uid)),
                Err(error) => tracing::error!(%error, "a pod's worker failed"),
            },
            () = agent.stop.cancelled() => break,
        }
    }
    while keeper.join_next().await.is_some() {}
    // The pods go on; only their workers end.
    while workers.tasks.join_next().await.is_some() {}
}

struct Workers {
    agent: Arc<Agent>,
    by_uid: BTreeMap<String, Told>,
    tasks: JoinSet<String>,
}

/// What a worker is told by.
struct Told {
    wanted: watch::Sender<Wanted>,
    verdicts: mpsc::Sender<Verdict>,
}

impl Workers {
    fn want(&mut self, pod: &Arc<Object>) {
        let wanted = Wanted::Run(pod.clone());
        match self.by_uid.get(pod.uid()) {
            Some(worker) => drop(worker.wanted.send_replace(wanted)),
            None => self.start(pod.uid(), wanted),
        }
    }

    fn gone(&mut self, uid: &str) {
        if let Some(worker) = self.by_uid.get(uid) {
            worker.wanted.send_replace(Wanted::Gone);
        }
    }

    fn evict(&self, victim: Victim) {
        let Some(worker) = self.by_uid.get(&victim.uid) else { return };
        let verdict = Verdict::Evicted { message: victim.message, is_disruption: true };
        if worker.verdicts.try_send(verdict).is_err() {
            tracing::warn!(pod = victim.name, "its worker has too much to hear: it is not evicted");
        }
    }

    fn start(&mut self, uid: &str, wanted: Wanted) {
        let (sender, receiver) = watch::channel(wanted);
        let (verdicts, heard) = mpsc::channel(VERDICTS);
        let told = Told { wanted: sender, verdicts: verdicts.clone() };
        self.by_uid.insert(uid.to_owned(), told);
        self.tasks.spawn(worker::run(self.agent.clone(), uid.to_owned(), receiver, (verdicts, heard)));
    }

    /// Brings the workers in line with the whole list, and removes what nobody wants.
    async fn adopt(&mut self, cache: &Cache) {
        let pods = cache.list();
        for pod in &pods {
            self.want(pod);
        }
        let wanted = |uid: &str| pods.iter().any(|pod| pod.uid() == uid);
        let unwanted: Vec<String> = self.by_uid.keys().filter(|uid| !wanted(uid)).cloned().collect();
        for uid in unwanted {
            self.gone(&uid);
        }
        match self.agent.runtime.list().await {
            Ok(sandboxes) => {
                for sandbox in sandboxes.iter().filter(|sandbox| !wanted(&sandbox.pod_uid)) {
                    tracing::info!(pod = sandbox.name, "removed: the API does not know it any more");
                    if !self.by_uid.contains_key(&sandbox.pod_uid) {
                        self.start(&sandbox.pod_uid, Wanted::Gone);
                    }
                }
            }
            Err(error) => tracing::error!(%error, "the runtime does not say what it runs"),
        }
    }
}
