//! One master's part of the replicated store: the handle that everything else uses.
//! Any master takes any request: what only the leader can do goes to it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, ForwardToLeader, RaftError};
use openraft::raft::ClientWriteResponse;
use openraft::{ChangeMembers, Config, Raft, ReadPolicy, SnapshotPolicy};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Code, Status};
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::peer_client::PeerClient;
use xebec_state::{Reply, State, Transaction};

use crate::barrier::Barrier;
use crate::database::Damage;
use crate::identity;
use crate::leadership::Leadership;
use crate::log_store::LogStore;
use crate::network::{MESSAGE_BYTES, Peers};
use crate::service::{self, PeerService, RaftService};
use crate::state_machine::{Published, StateMachine};
use crate::state_store::StateStore;
use crate::types::{self, Command, Member, TypeConfig};

/// The longest that a proposal or a read waits for a leader and its quorum.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) type OurRaft = Raft<TypeConfig, StateMachine>;

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
        Self { heartbeat_ms: 100, election_min_ms: 400, election_max_ms: 800 }
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
    pub peer_tls: Option<ClientTlsConfig>,
    /// Raft's clocks.
    pub timings: Timings,
    /// The master took part before: an empty log is a lost one, and is refused.
    pub expect_log: bool,
}

/// Why a master does not take part.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A database cannot be used.
    #[error("the data folder {dir} is damaged: {damage}; {}", identity::rejoin(&.dir.join("log")))]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        #[source]
        damage: Damage,
    },
    /// The log of a master that took part before is gone.
    #[error(
        "the data folder {dir} has an identity but no log: votes of this master may be lost, so it must not take \
         part again; {}", identity::rejoin(&.dir.join("log"))
    )]
    LostLog {
        /// The folder.
        dir: PathBuf,
    },
    /// openraft refused.
    #[error("Raft did not start: {0}")]
    Raft(String),
}

/// Why a proposal or a read did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum ProposeError {
    /// Nothing happened.
    #[error("no leader can be reached: {0}")]
    NoLeader(String),
    /// It may or may not have happened: wait for a barrier and read.
    #[error("the outcome is unknown: {0}")]
    Unknown(String),
    /// This master does not lead, and the proposal may not be passed on.
    #[error("this master does not lead any more")]
    NotLeading,
    /// The request makes no sense.
    #[error("{0}")]
    Refused(String),
    /// This master takes no part any more.
    #[error("{0}")]
    Stopped(String),
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
    core: Core,
    barrier: Barrier,
    leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    log_closed: oneshot::Receiver<()>,
}

/// What the handle, the barrier and the services share.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) raft: OurRaft,
    pub(crate) peers: Peers,
    pub(crate) published: Arc<Published>,
}

impl Node {
    /// Opens the databases, recovers, and takes part.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let damaged = |damage| StartError::Damaged { dir: options.dir.clone(), damage };
        let (log, log_closed) = LogStore::open(&options.dir.join("log")).map_err(damaged)?;
        if options.expect_log && log.is_empty() {
            return Err(StartError::LostLog { dir: options.dir.clone() });
        }
        let (store, applied) = StateStore::open(&options.dir.join("state")).map_err(damaged)?;
        let published = Published::new(&applied);
        let machine = StateMachine::new(applied, store, published.clone());
        let peers = Peers::new(&options.cluster_id, options.raft_id, options.peer_tls);
        let config = Arc::new(config(options.timings).map_err(|e| StartError::Raft(e.to_string()))?);
        let raft = OurRaft::new(options.raft_id, config, peers.clone(), log, machine).await;
        let raft = raft.map_err(|error| StartError::Raft(error.to_string()))?;
        let core = Core { raft, peers, published };
        let (barrier, barrier_task) = Barrier::new(core.clone());
        let (sender, leadership) = watch::channel(Leadership::default());
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(stop.clone().run_until_cancelled_owned(barrier_task).map_to_unit()),
            tokio::spawn(
                stop.clone()
                    .run_until_cancelled_owned(watch_leadership(core.raft.clone(), sender))
                    .map_to_unit(),
            ),
        ];
        Ok(Self { core, barrier, leadership, stop, tasks, log_closed })
    }

    /// Makes a cluster of this master alone. Only on an empty log.
    ///
    /// # Errors
    /// [`ProposeError::Refused`] when there is a cluster already.
    pub async fn bootstrap(&self, member: Member) -> Result<(), ProposeError> {
        let members = std::collections::BTreeMap::from([(self.core.peers.me, member)]);
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
    /// it. Passed on to the leader, unless it is fenced.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn propose(&self, transaction: &Transaction) -> Result<Reply, ProposeError> {
        let bytes = transaction.encode();
        match self.core.propose_here(bytes.clone()).await {
            Err(Elsewhere::At(..) | Elsewhere::Nobody) if transaction.fence.is_some() => {
                Err(ProposeError::NotLeading)
            }
            Err(Elsewhere::At(id, member)) => self.core.propose_at(id, &member, bytes).await,
            Err(Elsewhere::Nobody) => {
                let (id, member) = self.wait_for_leader().await?;
                if id == self.core.peers.me {
                    return self.core.propose_here(bytes).await.map(|(reply, _)| reply).map_err(Into::into);
                }
                self.core.propose_at(id, &member, bytes).await
            }
            outcome => outcome.map(|(reply, _)| reply).map_err(Into::into),
        }
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
        client.change_membership(request).await.map_err(|status| unknown(&status))?;
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

/// Why a proposal did not happen on this master.
pub(crate) enum Elsewhere {
    At(u64, Member),
    Nobody,
    Failed(ProposeError),
}

impl From<Elsewhere> for ProposeError {
    fn from(elsewhere: Elsewhere) -> Self {
        match elsewhere {
            Elsewhere::Failed(error) => error,
            Elsewhere::At(..) | Elsewhere::Nobody => Self::NoLeader("leadership just moved".to_owned()),
        }
    }
}

/// A change of membership.
pub(crate) enum Change {
    AddLearner(u64, Member),
    Promote(u64),
    Remove(u64),
    Transfer(Option<u64>),
}

impl Change {
    fn to_wire(&self) -> v1::change_membership_request::Change {
        use v1::change_membership_request::{AddLearner, Change as Wire};
        match self {
            Self::AddLearner(id, member) => {
                Wire::AddLearner(AddLearner { raft_id: *id, member: Some(types::member_to_wire(member)) })
            }
            Self::Promote(id) => Wire::Promote(*id),
            Self::Remove(id) => Wire::Remove(*id),
            Self::Transfer(to) => Wire::TransferTo(to.unwrap_or_default()),
        }
    }

    pub(crate) fn from_wire(wire: v1::change_membership_request::Change) -> Option<Self> {
        use v1::change_membership_request::Change as Wire;
        Some(match wire {
            Wire::AddLearner(add) => Self::AddLearner(add.raft_id, types::member_from_wire(add.member?)),
            Wire::Promote(id) => Self::Promote(id),
            Wire::Remove(id) => Self::Remove(id),
            Wire::TransferTo(to) => Self::Transfer((to != 0).then_some(to)),
        })
    }
}

impl Core {
    /// Proposes as the leader: the reply and the index it was applied at.
    pub(crate) async fn propose_here(&self, bytes: bytes::Bytes) -> Result<(Reply, u64), Elsewhere> {
        let write = self.raft.client_write(Command(bytes));
        let outcome = tokio::time::timeout(PATIENCE, write).await;
        let failed = |error| Err(Elsewhere::Failed(error));
        match outcome {
            Err(_) => failed(ProposeError::Unknown(format!("not committed within {PATIENCE:?}"))),
            Ok(Ok(ClientWriteResponse { log_id, data: Some(reply), .. })) => Ok((reply.0, log_id.index)),
            Ok(Ok(_)) => failed(ProposeError::Unknown("the reply is missing".to_owned())),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
                Err(elsewhere(forward))
            }
            Ok(Err(RaftError::APIError(error))) => failed(ProposeError::Unknown(error.to_string())),
            Ok(Err(RaftError::Fatal(error))) => failed(ProposeError::Stopped(error.to_string())),
        }
    }

    async fn propose_at(&self, id: u64, leader: &Member, bytes: bytes::Bytes) -> Result<Reply, ProposeError> {
        let request = v1::ProposeRequest { envelope: self.peers.envelope(id), transaction: bytes };
        let answer = self.peer_client(leader)?.propose(request).await.map_err(|status| unknown(&status))?;
        let answer = answer.into_inner();
        self.wait_applied(answer.applied_index).await?;
        Reply::decode(answer.reply).map_err(|error| ProposeError::Unknown(error.to_string()))
    }

    /// A linearizable read point: asks the leader for it, then waits to get there.
    pub(crate) async fn read_index(&self) -> Result<(), ProposeError> {
        let metrics = self.raft.metrics();
        let leader = {
            let metrics = metrics.borrow_watched();
            let membership = metrics.membership_config.membership();
            metrics.current_leader.and_then(|id| Some((id, membership.get_node(&id)?.clone())))
        };
        let index = match leader {
            Some((id, member)) if id != self.peers.me => {
                let request = v1::ReadIndexRequest { envelope: self.peers.envelope(id) };
                let answer = self.peer_client(&member)?.read_index(request).await;
                answer
                    .map_err(|status| ProposeError::NoLeader(status.message().to_owned()))?
                    .into_inner()
                    .index
            }
            _ => self.read_index_here().await?,
        };
        self.wait_applied(index).await
    }

    /// The read index, as the leader.
    pub(crate) async fn read_index_here(&self) -> Result<u64, ProposeError> {
        let read = tokio::time::timeout(PATIENCE, self.raft.get_read_log_id(ReadPolicy::ReadIndex)).await;
        match read {
            Ok(Ok((id, _))) => Ok(id.index()),
            Ok(Err(error)) => Err(ProposeError::NoLeader(error.to_string())),
            Err(_) => Err(ProposeError::NoLeader(format!("no quorum answered within {PATIENCE:?}"))),
        }
    }

    async fn wait_applied(&self, index: u64) -> Result<(), ProposeError> {
        let mut applied = self.published.applied.subscribe();
        let there = applied.wait_for(|last| last.is_some_and(|last| last.index >= index));
        match tokio::time::timeout(PATIENCE, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ProposeError::Stopped("this master is shutting down".to_owned())),
            Err(_) => Err(ProposeError::Unknown(format!("this master did not catch up within {PATIENCE:?}"))),
        }
    }

    pub(crate) async fn change_here(&self, change: Change) -> Result<(), ProposeError> {
        let refused = |error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>| {
            ProposeError::Refused(format!("the membership was not changed: {error}"))
        };
        match change {
            Change::AddLearner(id, member) => {
                self.raft.add_learner(id, member, false).await.map(drop).map_err(refused)
            }
            Change::Promote(id) => {
                let voters = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
                self.raft.change_membership(voters, false).await.map(drop).map_err(refused)
            }
            Change::Remove(id) => {
                let voters = ChangeMembers::RemoveVoters(BTreeSet::from([id]));
                self.raft.change_membership(voters, true).await.map_err(refused)?;
                let nodes = ChangeMembers::RemoveNodes(BTreeSet::from([id]));
                self.raft.change_membership(nodes, false).await.map(drop).map_err(refused)
            }
            Change::Transfer(to) => self.transfer_here(to).await,
        }
    }

    async fn transfer_here(&self, to: Option<u64>) -> Result<(), ProposeError> {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let other = metrics.membership_config.membership().voter_ids().find(|id| *id != self.peers.me);
        let Some(to) = to.or(other) else {
            return Err(ProposeError::Refused("there is no other voter to lead".to_owned()));
        };
        let outcome = self.raft.trigger().transfer_leader(to).await;
        outcome.map_err(|error| ProposeError::Stopped(error.to_string()))
    }

    fn peer_client(&self, member: &Member) -> Result<PeerClient<Channel>, ProposeError> {
        let channel = self.peers.channel(member);
        let channel = channel.map_err(|e| ProposeError::NoLeader(format!("{}: {e}", member.peer_address)))?;
        let client = PeerClient::new(channel);
        Ok(client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES))
    }
}

fn elsewhere(forward: ForwardToLeader<TypeConfig>) -> Elsewhere {
    match (forward.leader_id, forward.leader_node) {
        (Some(id), Some(member)) => Elsewhere::At(id, member),
        _ => Elsewhere::Nobody,
    }
}

/// A status of the leader, or of the way to it. Only some prove that nothing happened.
fn unknown(status: &Status) -> ProposeError {
    match status.code() {
        Code::FailedPrecondition => ProposeError::NoLeader(status.message().to_owned()),
        Code::InvalidArgument => ProposeError::Refused(status.message().to_owned()),
        _ => ProposeError::Unknown(status.message().to_owned()),
    }
}

async fn watch_leadership(raft: OurRaft, sender: watch::Sender<Leadership>) {
    let mut metrics = raft.metrics();
    loop {
        let now = Leadership::from_metrics(&metrics.borrow_and_update());
        sender.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
        if metrics.changed().await.is_err() {
            return;
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
