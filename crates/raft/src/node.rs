//! One master's part of the replicated store: the handle that everything else uses.
//! Any master takes any request: what only the leader can do goes to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use openraft::async_runtime::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xebec_rpc::raft::v1;
use xebec_rpc::tls::Connector;
use xebec_state::{Reply, State, Transaction};

use crate::barrier::Barrier;
use crate::core::{Core, OurRaft, PATIENCE, ProposeError, from_status};
use crate::database::{Damage, guarded};
use crate::identity;
use crate::leadership::{self, Leadership};
use crate::log_store::LogStore;
use crate::membership::Change;
use crate::network::Peers;
use crate::removal;
use crate::service::{self, PeerService, RaftService};
use crate::state_machine::{Published, StateMachine};
use crate::state_store::{Loaded, StateStore};
use crate::types::Member;

/// Raft's clocks, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// Between two heartbeats of the leader.
    pub heartbeat_ms: u64,
    /// An election begins after a random time between these without a heartbeat.
    pub election_min_ms: u64,
    /// See `election_min_ms`.
    pub election_max_ms: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self { heartbeat_ms: 100, election_min_ms: 250, election_max_ms: 500 }
    }
}

/// What a master needs to take part.
#[derive(Clone)]
pub struct Options {
    /// The folder of the two databases, `log/` and `state/`.
    pub dir: PathBuf,
    /// In every message between masters.
    pub cluster_id: String,
    /// This master's random id.
    pub raft_id: u64,
    /// How the others reach it.
    pub member: Member,
    /// `None` only in tests, on loopback.
    pub peer_tls: Option<Connector>,
    /// Raft's clocks.
    pub timings: Timings,
    /// The master took part before: an empty log is a lost one, and is refused.
    pub expect_log: bool,
}

/// Why a master does not take part.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A database cannot be used.
    #[error("the data folder {dir} is damaged: {damage}; {}", identity::rejoin(&.dir.join("log"), .name))]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// The master's name.
        name: String,
        /// What is wrong.
        #[source]
        damage: Damage,
    },
    /// The log of a master that took part before is gone.
    #[error(
        "the data folder {dir} has an identity but no log: votes of this master may be lost, so it must not take \
         part again; {}", identity::rejoin(&.dir.join("log"), .name)
    )]
    LostLog {
        /// The folder.
        dir: PathBuf,
        /// The master's name.
        name: String,
    },
    /// openraft refused.
    #[error("Raft did not start: {0}")]
    Raft(String),
}

/// One member, as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its Raft id.
    pub raft_id: u64,
    /// Its name and addresses.
    pub member: Member,
    /// It votes.
    pub voter: bool,
    /// What it has on disk, known on the leader only.
    pub matched_index: Option<u64>,
}

/// A running member. Dropping it without [`Node::shutdown`] leaves tasks behind.
pub struct Node {
    pub(crate) core: Core,
    barrier: Barrier,
    leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    log_closed: oneshot::Receiver<()>,
}

impl Node {
    /// Opens the databases, recovers, and takes part.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (dir, name) = (&options.dir, &options.member.name);
        let damaged = |damage| StartError::Damaged { dir: dir.clone(), name: name.clone(), damage };
        let (log_dir, state_dir) = (options.dir.join("log"), options.dir.join("state"));
        let (log, log_closed) = guarded(&log_dir, || LogStore::open(&log_dir)).map_err(damaged)?;
        if options.expect_log && log.is_empty() {
            return Err(StartError::LostLog { dir: dir.clone(), name: name.clone() });
        }
        let state = guarded(&state_dir, || StateStore::open(&state_dir, log.mark()));
        let (store, Loaded { applied, mark }) = state.map_err(damaged)?;
        log.found().agrees_with(applied.last, mark).map_err(damaged)?;
        let published = Published::new(&applied);
        let machine = StateMachine::new(applied, store, published.clone());
        let peers = Peers::new(&options.cluster_id, options.raft_id, options.peer_tls);
        let config = Arc::new(config(options.timings).map_err(|e| StartError::Raft(e.to_string()))?);
        let raft = OurRaft::new(options.raft_id, config, peers.clone(), log, machine).await;
        let raft = raft.map_err(|error| StartError::Raft(error.to_string()))?;
        let (sender, leadership) = watch::channel(Leadership::default());
        let core = Core { raft, peers, published, leadership: leadership.clone(), changing: Arc::default() };
        core.lead_if_alone().await.map_err(|error| StartError::Raft(error.to_string()))?;
        let (barrier, barrier_task) = Barrier::new(core.clone());
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(stop.clone().run_until_cancelled_owned(barrier_task).map_to_unit()),
            tokio::spawn(stop.clone().run_until_cancelled_owned(core.clone().end_changes()).map_to_unit()),
            // Ends by itself with Raft, and tells then that nobody leads here.
            tokio::spawn(leadership::watch(core.raft.clone(), core.peers.clone(), sender)),
        ];
        Ok(Self { core, barrier, leadership, stop, tasks, log_closed })
    }

    /// Makes a cluster of this master alone. Only on an empty log.
    ///
    /// # Errors
    /// [`ProposeError::Refused`] when there is a cluster already.
    pub async fn bootstrap(&self, member: Member) -> Result<(), ProposeError> {
        let members = BTreeMap::from([(self.core.peers.me, member)]);
        let outcome = self.core.raft.initialize(members).await;
        outcome.map_err(|error| ProposeError::Refused(format!("no new cluster can be made here: {error}")))
    }

    /// Stops taking part, and waits until everything is on the disk.
    pub async fn shutdown(self) {
        let Self { core, barrier, stop, tasks, log_closed, .. } = self;
        if let Err(error) = core.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not stop in order");
        }
        stop.cancel();
        for task in tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of the store did not stop in order");
            }
        }
        drop((core, barrier));
        // Ends when the last task of openraft has let go of the log.
        if tokio::time::timeout(PATIENCE, log_closed).await.is_err() {
            tracing::warn!("the log is still open");
        }
    }

    /// Replicates a transaction; answered once this master's own [`Node::state`] holds
    /// it. Passed on to the leader, and waits for one for a few seconds, unless it is
    /// fenced.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn propose(&self, transaction: &Transaction) -> Result<Reply, ProposeError> {
        let bytes = transaction.encode();
        if transaction.fence.is_some() {
            return self.core.propose_fenced(bytes).await;
        }
        self.core.propose(bytes).await
    }

    /// After this, [`Node::state`] holds every write that was answered before the call,
    /// by whichever master.
    ///
    /// # Errors
    /// [`ProposeError::NoLeader`] when no quorum confirmed it in time.
    pub async fn barrier(&self) -> Result<(), ProposeError> {
        self.barrier.wait().await
    }

    /// The applied state, as it is now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.core.published.state.load_full()
    }

    /// The revision of [`Node::state`], told with every change.
    #[must_use]
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.core.published.revision.subscribe()
    }

    /// Who leads, told with every change.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Every member.
    #[must_use]
    pub fn members(&self) -> Vec<MemberStatus> {
        let metrics = self.core.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<u64> = membership.voter_ids().collect();
        let matched = |id: &u64| match &metrics.replication {
            Some(progress) => progress.get(id).cloned().flatten().map(|log_id| log_id.index),
            None => None,
        };
        let members = membership.nodes().map(|(id, member)| MemberStatus {
            raft_id: *id,
            member: member.clone(),
            voter: voters.contains(id),
            matched_index: matched(id),
        });
        members.collect()
    }

    /// Lets a new master receive the log, without a vote yet.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn add_learner(&self, id: u64, member: Member) -> Result<(), ProposeError> {
        self.change(Change::AddLearner(id, member)).await
    }

    /// Gives a member that has caught up a vote.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn promote(&self, id: u64) -> Result<(), ProposeError> {
        self.change(Change::Promote(id)).await
    }

    /// Takes a member out for good.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn remove(&self, id: u64) -> Result<(), ProposeError> {
        self.change(Change::Remove(id)).await
    }

    /// Hands leadership over, to any other voter with `None`.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn transfer(&self, to: Option<u64>) -> Result<(), ProposeError> {
        self.change(Change::Transfer(to)).await
    }

    /// Ends when this master takes no part any more, by [`Node::stop`] or because it must
    /// not: its disk failed, or an entry cannot be applied. Says why.
    pub async fn stopped(&self) -> String {
        let mut metrics = self.core.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_watched().running_state {
                return fatal.to_string();
            }
            if metrics.changed().await.is_err() {
                return "Raft has ended".to_owned();
            }
        }
    }

    /// Ends once it is proven that this master was taken out of the cluster. Goes on for as
    /// long as that is not, as where none of the others can be asked. What this master
    /// applies itself counts from when this is first awaited.
    pub async fn removed(&self) {
        let applied = self.core.published.membership.subscribe();
        removal::proven(self.core.peers.me, applied, self.core.peers.heard.subscribe()).await;
    }

    /// Stops taking part, while others still hold this handle.
    pub async fn stop(&self) {
        self.stop.cancel();
        if let Err(error) = self.core.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not stop in order");
        }
    }

    /// What the peers' port serves.
    #[must_use]
    pub fn services(&self) -> (RaftService, PeerService) {
        (service::raft(self.core.clone()), service::peer(self.core.clone()))
    }

    async fn change(&self, change: Change) -> Result<(), ProposeError> {
        let (id, member) = self.wait_for_leader().await?;
        if id == self.core.peers.me {
            return self.core.change_here(change).await;
        }
        let request = v1::ChangeMembershipRequest {
            envelope: self.core.peers.envelope(id),
            change: Some(change.to_wire()),
        };
        let mut client = self.core.peer_client(&member)?;
        client.change_membership(request).await.map_err(|status| from_status(&status))?;
        Ok(())
    }

    async fn wait_for_leader(&self) -> Result<(u64, Member), ProposeError> {
        let mut leadership = self.leadership.clone();
        let found = tokio::time::timeout(PATIENCE, leadership.wait_for(|l| l.leader.is_some())).await;
        match found {
            Ok(Ok(leadership)) => Ok(leadership.leader.clone().expect("waited for one")),
            Ok(Err(_)) => Err(ProposeError::Stopped("this master is shutting down".to_owned())),
            Err(_) => Err(ProposeError::NoLeader(format!("none was elected within {PATIENCE:?}"))),
        }
    }
}

fn config(timings: Timings) -> Result<Config, openraft::ConfigError> {
    let config = Config {
        cluster_name: "xebec".to_owned(),
        heartbeat_interval: timings.heartbeat_ms,
        election_timeout_min: timings.election_min_ms,
        election_timeout_max: timings.election_max_ms,
        enable_pre_vote: Some(true),
        quorum_loss_probe_interval: Some(2 * timings.election_max_ms),
        max_payload_entries: 256,
        replication_lag_threshold: 5_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(5_000),
        max_in_snapshot_log_to_keep: 1_000,
        // A leader that restarts must win a new term: with the old one it would count as
        // leading before it has applied the end of its own log, and a fence of the
        // process before it would still hold.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    config.validate()
}

/// A task's outcome when it may also have been cancelled.
trait MapToUnit {
    fn map_to_unit(self) -> impl Future<Output = ()> + Send;
}

impl<F: Future<Output = Option<()>> + Send> MapToUnit for F {
    async fn map_to_unit(self) {
        self.await;
    }
}
