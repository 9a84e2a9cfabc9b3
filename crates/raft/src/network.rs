//! The leader's way to its peers: one gRPC channel a peer, made when it is first
//! needed and kept. Every message names the cluster and the receiver, so that a
//! master that took over an address by mistake refuses it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, type_config::alias::SnapshotOf};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::raft_client::RaftClient;
use xebec_rpc::tls::Connector;

use crate::removal::{Evidence, Standing};
use crate::state_machine::SnapshotState;
use crate::types::{self, Member, TypeConfig, Vote};

type RpcError = RPCError<TypeConfig>;

/// The largest message between masters, in bytes: an entry holds a transaction of
/// many objects, and a batch of entries is bounded by bytes already.
pub(crate) const MESSAGE_BYTES: usize = 64 << 20;
/// Bytes of one message of a snapshot.
const PIECE_BYTES: usize = 1 << 20;

/// Who we are to our peers, and how we trust them.
#[derive(Clone)]
pub(crate) struct Peers {
    pub(crate) cluster_id: Arc<str>,
    pub(crate) me: u64,
    /// `None` only in tests, on loopback.
    tls: Option<Connector>,
    /// One channel an address; as many as there were masters.
    channels: Arc<Mutex<BTreeMap<String, Channel>>>,
    /// What they said of our membership.
    pub(crate) heard: Arc<watch::Sender<Evidence>>,
    /// Since when we have asked for votes, and no leader has spoken to us.
    unled_since: Arc<Mutex<Option<Instant>>>,
}

impl Peers {
    pub(crate) fn new(cluster_id: &str, me: u64, tls: Option<Connector>) -> Self {
        let heard = Arc::new(watch::Sender::new(Evidence::default()));
        let (channels, unled_since) = Default::default();
        Self { cluster_id: cluster_id.into(), me, tls, channels, heard, unled_since }
    }

    /// Since when this master has asked for votes without an end to it. openraft itself names
    /// the last leader for as long as nobody grants it one.
    pub(crate) fn unled_since(&self) -> Option<Instant> {
        *self.unled_since.lock().expect("no holder of this lock panics")
    }

    /// A leader spoke to us, or it is us.
    pub(crate) fn is_led(&self) {
        *self.unled_since.lock().expect("no holder of this lock panics") = None;
    }

    fn asks_for_votes(&self) {
        let mut since = self.unled_since.lock().expect("no holder of this lock panics");
        since.get_or_insert_with(Instant::now);
    }

    pub(crate) fn envelope(&self, to: u64) -> Option<v1::Envelope> {
        Some(v1::Envelope { cluster_id: self.cluster_id.to_string(), from: self.me, to })
    }

    /// A channel that connects when it is used, and again when it broke.
    pub(crate) fn channel(&self, member: &Member) -> Result<Channel, tonic::transport::Error> {
        let mut channels = self.channels.lock().expect("no holder of this lock panics");
        if let Some(channel) = channels.get(&member.peer_address) {
            return Ok(channel.clone());
        }
        let channel = self.connect(member)?;
        channels.insert(member.peer_address.clone(), channel.clone());
        Ok(channel)
    }

    fn connect(&self, member: &Member) -> Result<Channel, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{}", member.peer_address))?
            .connect_timeout(Duration::from_millis(500))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(1))
            .keep_alive_timeout(Duration::from_secs(1))
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20);
        Ok(self.tls.as_ref().map_or_else(|| endpoint.connect_lazy(), |tls| tls.lazy(&endpoint)))
    }
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, member: &Member) -> Peer {
        let client = self.channel(member).map(|channel| {
            let client = RaftClient::new(channel);
            client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
        });
        let client = client.map_err(|error| format!("{}: {error}", member.peer_address));
        Peer { peers: self.clone(), target, client }
    }
}

/// One peer.
pub(crate) struct Peer {
    peers: Peers,
    target: u64,
    client: Result<RaftClient<Channel>, String>,
}

impl Peer {
    fn client(&self) -> Result<RaftClient<Channel>, RpcError> {
        self.client.clone().map_err(|why| RPCError::Unreachable(Unreachable::from_string(why)))
    }

    fn append_message(&self, request: &AppendEntriesRequest<TypeConfig>) -> v1::AppendEntriesRequest {
        append_message(&self.peers, self.target, request)
    }

    async fn ask_for_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        pre_vote: bool,
        option: &RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let message = v1::VoteRequest {
            envelope: self.peers.envelope(self.target),
            vote: Some(types::vote_to_wire(&request.vote)),
            last_log_id: request.last_log_id.as_ref().map(types::log_id_to_wire),
            pre_vote,
            leadership_transfer: request.leadership_transfer,
        };
        self.peers.asks_for_votes();
        let mut client = self.client()?;
        let answer = within(option, client.vote(message)).await?.into_inner();
        if let Some(asker) = answer.asker {
            let standing = Standing { at: asker.membership_index, member: asker.member };
            self.peers.heard.send_modify(|heard| heard.add(standing));
        }
        Ok(VoteResponse {
            vote: types::vote_from_wire(answer.vote.as_ref()).map_err(damaged)?,
            vote_granted: answer.granted,
            last_log_id: answer.last_log_id.as_ref().map(types::log_id_from_wire),
        })
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotState;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let message = self.append_message(&request);
        let mut client = self.client()?;
        let exchange = async {
            let mut answers = client.append_entries(futures::stream::iter([message])).await?.into_inner();
            let answer = answers.message().await?;
            answer.ok_or_else(|| Status::unavailable("the peer ended the stream"))
        };
        append_result(&within(&option, exchange).await?).map(Into::into)
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let (peers, target) = (self.peers.clone(), self.target);
        Box::pin(async move {
            // openraft's back-off is inside the input: a peer that is down must not be
            // dialled before the first request is there, or nothing slows the dialling.
            let Some(first) = input.next().await else {
                return Ok(Box::pin(futures::stream::empty()) as BoxStream<'s, _>);
            };
            let requests = futures::stream::iter([first]).chain(input);
            let messages = requests.map(move |request| append_message(&peers, target, &request));
            let mut client = self.client()?;
            let answers = client.append_entries(messages).await.map_err(rpc_error)?.into_inner();
            let results = answers.map(|answer| append_result(&answer.map_err(rpc_error)?));
            Ok(Box::pin(results) as BoxStream<'s, _>)
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(request, false, &option).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        self.ask_for_vote(request, true, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: SnapshotOf<TypeConfig, SnapshotState>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let membership = &snapshot.meta.last_membership;
        let header = v1::SnapshotHeader {
            envelope: self.peers.envelope(self.target),
            vote: Some(types::vote_to_wire(&vote)),
            snapshot_id: String::new(),
            last_log_id: snapshot.meta.last_log_id.as_ref().map(types::log_id_to_wire),
            membership_log_id: membership.log_id().as_ref().map(types::log_id_to_wire),
            membership: Some(types::membership_to_wire(membership.membership())),
            total_bytes: 0,
        };
        let header = v1::SnapshotChunk { part: Some(v1::snapshot_chunk::Part::Header(header)) };
        let messages = std::iter::once(header).chain(snapshot.snapshot.into_snapshot(PIECE_BYTES).map(data));
        let mut client = self.client().map_err(streaming)?;
        let sending = client.install_snapshot(futures::stream::iter(messages));
        let answer = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            answer = sending => answer.map_err(|status| streaming(rpc_error(status)))?.into_inner(),
        };
        let vote = types::vote_from_wire(answer.vote.as_ref()).map_err(|error| streaming(damaged(error)))?;
        Ok(SnapshotResponse { vote })
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let message = v1::TransferLeaderRequest {
            envelope: self.peers.envelope(self.target),
            from_leader: Some(types::vote_to_wire(request.from_leader())),
            to_node_id: *request.to_node_id(),
            last_log_id: request.last_log_id().map(types::log_id_to_wire),
        };
        let mut client = self.client()?;
        within(&option, client.transfer_leader(message)).await?;
        Ok(Ok(()))
    }
}

fn data(piece: Bytes) -> v1::SnapshotChunk {
    v1::SnapshotChunk { part: Some(v1::snapshot_chunk::Part::Data(piece)) }
}

fn append_message(
    peers: &Peers,
    target: u64,
    request: &AppendEntriesRequest<TypeConfig>,
) -> v1::AppendEntriesRequest {
    v1::AppendEntriesRequest {
        envelope: peers.envelope(target),
        vote: Some(types::vote_to_wire(&request.vote)),
        prev_log_id: request.prev_log_id.as_ref().map(types::log_id_to_wire),
        leader_commit: request.leader_commit.as_ref().map(types::log_id_to_wire),
        entries: request.entries.iter().map(types::entry_to_wire).collect(),
    }
}

fn append_result(answer: &v1::AppendEntriesResponse) -> Result<StreamAppendResult<TypeConfig>, RpcError> {
    use v1::append_entries_response::Outcome;
    let log_id = answer.log_id.as_ref().map(types::log_id_from_wire);
    match answer.outcome() {
        Outcome::Success | Outcome::Partial => Ok(Ok(log_id)),
        Outcome::Conflict => {
            let log_id = log_id.ok_or_else(|| damaged(types::Missing("conflicting log id")))?;
            Ok(Err(StreamAppendError::Conflict(log_id)))
        }
        Outcome::HigherVote => {
            let vote = types::vote_from_wire(answer.vote.as_ref()).map_err(damaged)?;
            Ok(Err(StreamAppendError::HigherVote(vote)))
        }
        Outcome::Unspecified => Err(damaged(types::Missing("outcome"))),
    }
}

async fn within<T>(option: &RPCOption, call: impl Future<Output = Result<T, Status>>) -> Result<T, RpcError> {
    match tokio::time::timeout(option.hard_ttl(), call).await {
        Ok(answer) => answer.map_err(rpc_error),
        Err(_) => Err(RPCError::Network(NetworkError::from_string("no answer in time"))),
    }
}

/// A peer that cannot be reached is backed off from; anything else is tried again.
fn rpc_error(status: Status) -> RpcError {
    match status.code() {
        Code::Unavailable | Code::FailedPrecondition | Code::Unauthenticated | Code::PermissionDenied => {
            RPCError::Unreachable(Unreachable::new(&status))
        }
        _ => RPCError::Network(NetworkError::new(&status)),
    }
}

fn damaged(error: types::Missing) -> RpcError {
    RPCError::Network(NetworkError::new(&error))
}

fn streaming(error: RpcError) -> StreamingError<TypeConfig> {
    match error {
        RPCError::Unreachable(error) => StreamingError::Unreachable(error),
        RPCError::Network(error) => StreamingError::Network(error),
        RPCError::Timeout(error) => StreamingError::Timeout(error),
        RPCError::RemoteError(_) => StreamingError::Network(NetworkError::from_string("the peer failed")),
    }
}
