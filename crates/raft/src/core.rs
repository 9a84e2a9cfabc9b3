//! What the handle, the barrier and the services share: proposing and reading as the
//! leader, and passing on to it. Whatever provably did not happen is
//! [`ProposeError::NoLeader`], and may be tried again; nothing else may.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, ForwardToLeader, RaftError};
use openraft::raft::ClientWriteResponse;
use openraft::{Raft, ReadPolicy};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::peer_client::PeerClient;
use xebec_state::Reply;

use crate::leadership::{Leadership, has_lost_its_quorum};
use crate::network::{MESSAGE_BYTES, Peers};
use crate::state_machine::{Published, StateMachine};
use crate::types::{Command, Member, TypeConfig};

/// The longest that a proposal or a read waits for a leader and its quorum.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries, unless leadership changes before.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest that one try of a read waits: a frozen leader answers nothing.
const READ_TRY: Duration = Duration::from_secs(1);
/// The largest encoded transaction, in bytes. What a leader takes into its log it must
/// be able to send, so the bound is well below that of a message.
pub const TRANSACTION_BYTES: usize = 16 << 20;

pub(crate) type OurRaft = Raft<TypeConfig, StateMachine>;

/// Why a proposal or a read did not happen, or may not have.
#[derive(Clone, Debug, thiserror::Error)]
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
    /// This master takes no part any more. Nothing happened.
    #[error("{0}")]
    Stopped(String),
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

/// Shared by clones.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) raft: OurRaft,
    pub(crate) peers: Peers,
    pub(crate) published: Arc<Published>,
    pub(crate) leadership: watch::Receiver<Leadership>,
    /// Held over a change of membership: two at once refuse each other.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
}

impl Core {
    /// Proposes here or at the leader, again and again while nothing happened.
    pub(crate) async fn propose(&self, bytes: Bytes) -> Result<Reply, ProposeError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let outcome = match self.propose_here(bytes.clone()).await {
                Err(Elsewhere::At(id, member)) => self.propose_at(id, &member, bytes.clone()).await,
                here => here.map(|(reply, _)| reply).map_err(ProposeError::from),
            };
            match outcome {
                Err(ProposeError::NoLeader(_)) if self.may_wait_until(deadline) => self.pause().await,
                Err(ProposeError::NoLeader(_)) if self.is_hopeless() => return Err(no_majority()),
                outcome => return outcome,
            }
        }
    }

    /// Proposes as the leader, or not at all.
    pub(crate) async fn propose_fenced(&self, bytes: Bytes) -> Result<Reply, ProposeError> {
        self.propose_here(bytes).await.map(|(reply, _)| reply).map_err(|elsewhere| match elsewhere {
            Elsewhere::At(..) | Elsewhere::Nobody => ProposeError::NotLeading,
            Elsewhere::Failed(error) => error,
        })
    }

    /// Proposes as the leader: the reply and the index it was applied at.
    pub(crate) async fn propose_here(&self, bytes: Bytes) -> Result<(Reply, u64), Elsewhere> {
        let failed = |error| Err(Elsewhere::Failed(error));
        if bytes.len() > TRANSACTION_BYTES {
            let why = format!("a transaction of {} bytes; {TRANSACTION_BYTES} are allowed", bytes.len());
            return failed(ProposeError::Refused(why));
        }
        if let Some(ended) = self.ended() {
            return failed(ended);
        }
        if has_lost_its_quorum(&self.raft.metrics().borrow_watched()) {
            return failed(no_majority());
        }
        let outcome = timeout(PATIENCE, self.raft.client_write(Command(bytes))).await;
        match outcome {
            Err(_) => failed(ProposeError::Unknown(format!("not committed within {PATIENCE:?}"))),
            Ok(Ok(ClientWriteResponse { log_id, data: Some(reply), .. })) => Ok((reply.0, log_id.index)),
            Ok(Ok(_)) => failed(ProposeError::Unknown("the reply is missing".to_owned())),
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward)))) => {
                Err(elsewhere(forward, self.peers.me))
            }
            Ok(Err(RaftError::APIError(error))) => failed(ProposeError::Unknown(error.to_string())),
            // It may be in this log by now, and be sent to the others, who decide it without us.
            Ok(Err(RaftError::Fatal(error))) => {
                failed(ProposeError::Unknown(format!("this master ended meanwhile: {error}")))
            }
        }
    }

    async fn propose_at(&self, id: u64, leader: &Member, bytes: Bytes) -> Result<Reply, ProposeError> {
        let request = v1::ProposeRequest { envelope: self.peers.envelope(id), transaction: bytes };
        let mut client = self.peer_client(leader)?;
        let answer = timeout(2 * PATIENCE, client.propose(request)).await;
        let answer = answer
            .map_err(|_| ProposeError::Unknown(format!("{} did not answer", leader.name)))?
            .map_err(|status| from_status(&status))?
            .into_inner();
        // It happened, wherever this master stands.
        let here = self.wait_applied(answer.applied_index).await;
        here.map_err(|error| ProposeError::Unknown(error.to_string()))?;
        Reply::decode(answer.reply).map_err(|error| ProposeError::Unknown(error.to_string()))
    }

    /// A linearizable read point: asks the leader for it, then waits to get there.
    pub(crate) async fn read_index(&self) -> Result<(), ProposeError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let index = match self.leader() {
                Some((id, member)) if id != self.peers.me => self.read_index_at(id, &member).await,
                _ => self.read_index_here().await,
            };
            match index {
                Ok(index) => return self.wait_applied(index).await,
                // A read changes nothing, so it may be tried again whatever went wrong.
                Err(ProposeError::Stopped(why)) => return Err(ProposeError::Stopped(why)),
                Err(_) if self.may_wait_until(deadline) => self.pause().await,
                Err(_) if self.is_hopeless() => return Err(no_majority()),
                Err(error) => return Err(error),
            }
        }
    }

    async fn read_index_at(&self, id: u64, leader: &Member) -> Result<u64, ProposeError> {
        let request = v1::ReadIndexRequest { envelope: self.peers.envelope(id) };
        let mut client = self.peer_client(leader)?;
        let answer = timeout(READ_TRY, client.read_index(request)).await;
        let answer = answer.map_err(|_| ProposeError::NoLeader(format!("{} did not answer", leader.name)))?;
        let answer = answer.map_err(|status| ProposeError::NoLeader(status.message().to_owned()))?;
        Ok(answer.into_inner().index)
    }

    /// The read index, as the leader.
    pub(crate) async fn read_index_here(&self) -> Result<u64, ProposeError> {
        if has_lost_its_quorum(&self.raft.metrics().borrow_watched()) {
            return Err(no_majority());
        }
        match timeout(READ_TRY, self.raft.get_read_log_id(ReadPolicy::ReadIndex)).await {
            Ok(Ok((id, _))) => Ok(id.index()),
            Ok(Err(RaftError::Fatal(error))) => Err(ProposeError::Stopped(error.to_string())),
            Ok(Err(RaftError::APIError(error))) => Err(ProposeError::NoLeader(error.to_string())),
            Err(_) => Err(ProposeError::NoLeader("no quorum answered".to_owned())),
        }
    }

    /// Who leads, as this master knows it now.
    pub(crate) fn leader(&self) -> Option<(u64, Member)> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let id = metrics.current_leader?;
        Some((id, metrics.membership_config.membership().get_node(&id)?.clone()))
    }

    /// Why this master takes no part any more.
    fn ended(&self) -> Option<ProposeError> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let fatal = metrics.running_state.as_ref().err()?;
        Some(ProposeError::Stopped(fatal.to_string()))
    }

    /// Whether a leader may still turn up before the deadline. If not, whoever asks is told
    /// why at once, and may ask again.
    fn may_wait_until(&self, deadline: Instant) -> bool {
        Instant::now() < deadline && !self.is_hopeless()
    }

    fn is_hopeless(&self) -> bool {
        self.leadership.borrow().is_hopeless()
    }

    /// Until leadership may have moved.
    async fn pause(&self) {
        let mut metrics = self.raft.metrics();
        let known = self.leader();
        let moved = async { while self.leader() == known && metrics.changed().await.is_ok() {} };
        // Tried again in any case: the leader may have been there all the time.
        let _ = timeout(PAUSE, moved).await;
    }

    async fn wait_applied(&self, index: u64) -> Result<(), ProposeError> {
        let mut applied = self.published.applied.subscribe();
        let there = applied.wait_for(|last| last.is_some_and(|last| last.index >= index));
        match timeout(PATIENCE, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ProposeError::Stopped("this master is shutting down".to_owned())),
            Err(_) => Err(ProposeError::Unknown(format!("this master did not catch up within {PATIENCE:?}"))),
        }
    }

    pub(crate) fn peer_channel(&self, member: &Member) -> Result<Channel, ProposeError> {
        let channel = self.peers.channel(member);
        channel.map_err(|error| ProposeError::NoLeader(format!("{}: {error}", member.peer_address)))
    }

    pub(crate) fn peer_client(&self, member: &Member) -> Result<PeerClient<Channel>, ProposeError> {
        let client = PeerClient::new(self.peer_channel(member)?);
        Ok(client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES))
    }
}

pub(crate) fn no_majority() -> ProposeError {
    ProposeError::NoLeader("no majority of the masters answers".to_owned())
}

fn elsewhere(forward: ForwardToLeader<TypeConfig>, me: u64) -> Elsewhere {
    match (forward.leader_id, forward.leader_node) {
        // A leader that stepped down a moment ago may still name itself.
        (Some(id), Some(member)) if id != me => Elsewhere::At(id, member),
        _ => Elsewhere::Nobody,
    }
}

/// What a status of the leader, or of the way to it, says. Only some prove that nothing
/// happened: a connection that was never made, and FAILED_PRECONDITION.
pub(crate) fn from_status(status: &Status) -> ProposeError {
    let message = status.message().to_owned();
    match status.code() {
        _ if was_never_connected(status) => ProposeError::NoLeader(message),
        Code::FailedPrecondition => ProposeError::NoLeader(message),
        Code::InvalidArgument => ProposeError::Refused(message),
        _ => ProposeError::Unknown(message),
    }
}

/// The other direction. FAILED_PRECONDITION says that nothing happened; all but it and
/// INVALID_ARGUMENT leave it open.
pub(crate) fn to_status(error: ProposeError) -> Status {
    match error {
        ProposeError::NoLeader(why) => Status::failed_precondition(why),
        ProposeError::NotLeading => Status::failed_precondition("leadership moved"),
        ProposeError::Refused(why) => Status::invalid_argument(why),
        ProposeError::Unknown(why) => Status::unknown(why),
        ProposeError::Stopped(why) => Status::unavailable(why),
    }
}

fn was_never_connected(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_keeps_its_meaning_between_masters() {
        let errors = [
            ProposeError::NoLeader("a".to_owned()),
            ProposeError::NotLeading,
            ProposeError::Refused("b".to_owned()),
            ProposeError::Unknown("c".to_owned()),
            ProposeError::Stopped("d".to_owned()),
        ];
        let told: Vec<String> =
            errors.into_iter().map(|error| from_status(&to_status(error)).to_string()).collect();
        expect_test::expect![[r#"
            [
                "no leader can be reached: a",
                "no leader can be reached: leadership moved",
                "b",
                "the outcome is unknown: c",
                "the outcome is unknown: d",
            ]
        "#]]
        .assert_debug_eq(&told);
    }

    #[tokio::test]
    async fn a_refused_connection_proves_that_nothing_happened() {
        let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = unused.local_addr().expect("bound");
        drop(unused);
        let peers = Peers::new("test", 1, None);
        let member = Member { peer_address: address.to_string(), ..Member::default() };
        let mut client = PeerClient::new(peers.channel(&member).expect("an address"));
        let status = client.propose(v1::ProposeRequest::default()).await.expect_err("nobody listens");
        assert!(matches!(from_status(&status), ProposeError::NoLeader(_)), "{status:?}");
    }
}
