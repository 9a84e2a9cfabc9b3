//! What a master serves on its peers' port: Raft itself, and what followers pass on.

use std::future::ready;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use openraft::errors::Fatal;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest, VoteRequest,
};
use openraft::storage::Snapshot;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, Streaming};
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::snapshot_chunk::Part;
use xebec_state::SnapshotReader;

use crate::core::{Core, ProposeError, to_status};
use crate::membership::Change;
use crate::network::MESSAGE_BYTES;
use crate::removal::Standing;
use crate::types::{self, Missing, SnapshotMeta, StoredMembership, TypeConfig};

/// The gRPC service `xebec.raft.v1.Raft`.
pub type RaftService = v1::raft_server::RaftServer<Raft>;
/// The gRPC service `xebec.raft.v1.Peer`.
pub type PeerService = v1::peer_server::PeerServer<Peer>;

/// Serves Raft's own messages.
pub struct Raft(Core);

/// Serves what followers pass on.
pub struct Peer(Core);

pub(crate) fn raft(core: Core) -> RaftService {
    let service = v1::raft_server::RaftServer::new(Raft(core));
    service.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
}

pub(crate) fn peer(core: Core) -> PeerService {
    let service = v1::peer_server::PeerServer::new(Peer(core));
    service.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES)
}

impl Core {
    /// Only for us, and only from our cluster.
    pub(crate) fn admit(&self, envelope: Option<&v1::Envelope>) -> Result<(), Status> {
        let envelope = envelope.ok_or_else(|| Status::invalid_argument("envelope: missing"))?;
        if *envelope.cluster_id != *self.peers.cluster_id {
            tracing::warn!(from = envelope.from, theirs = %envelope.cluster_id, "refused a master of another cluster");
            return Err(Status::failed_precondition("this master belongs to another cluster"));
        }
        if envelope.to != self.peers.me {
            tracing::warn!(from = envelope.from, to = envelope.to, "refused a message for another master");
            return Err(Status::failed_precondition("this address now belongs to another master"));
        }
        #[cfg(test)]
        crate::cluster_test::partition::passes(envelope)?;
        Ok(())
    }
}

#[tonic::async_trait]
impl v1::raft_server::Raft for Raft {
    type AppendEntriesStream = BoxStream<'static, Result<v1::AppendEntriesResponse, Status>>;

    async fn append_entries(
        &self,
        request: Request<Streaming<v1::AppendEntriesRequest>>,
    ) -> Result<Response<Self::AppendEntriesStream>, Status> {
        let core = self.0.clone();
        let (refusal, refused) = oneshot::channel();
        let requests = admitted(core.clone(), request.into_inner(), refusal);
        let peers = core.peers.clone();
        let answers = core.raft.stream_append(requests).inspect(move |result| {
            if matches!(result, Ok(Ok(_) | Err(StreamAppendError::Conflict(_)))) {
                peers.is_led();
            }
        });
        let answers = answers.map(append_response);
        // The last answer says why the stream ended, so that the leader backs off.
        let last = futures::stream::once(refused).filter_map(|refused| ready(refused.ok().map(Err)));
        Ok(Response::new(answers.chain(last).boxed()))
    }

    async fn vote(&self, request: Request<v1::VoteRequest>) -> Result<Response<v1::VoteResponse>, Status> {
        let wire = request.into_inner();
        self.0.admit(wire.envelope.as_ref())?;
        let from = wire.envelope.as_ref().map_or(0, |envelope| envelope.from);
        let request = VoteRequest {
            vote: types::vote_from_wire(wire.vote.as_ref()).map_err(bad)?,
            last_log_id: wire.last_log_id.as_ref().map(types::log_id_from_wire),
            leadership_transfer: wire.leadership_transfer,
        };
        let raft = &self.0.raft;
        let answer = if wire.pre_vote { raft.pre_vote(request).await } else { raft.vote(request).await };
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        let asker = Standing::of(from, &self.0.published.membership.borrow());
        Ok(Response::new(v1::VoteResponse {
            vote: Some(types::vote_to_wire(&answer.vote)),
            granted: answer.vote_granted,
            last_log_id: answer.last_log_id.as_ref().map(types::log_id_to_wire),
            asker: asker
                .map(|Standing { at, member }| v1::vote_response::Standing { membership_index: at, member }),
        }))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::InstallSnapshotResponse>, Status> {
        let mut chunks = request.into_inner();
        let Some(Part::Header(header)) = next_part(&mut chunks).await? else {
            return Err(Status::invalid_argument("a snapshot starts with its header"));
        };
        self.0.admit(header.envelope.as_ref())?;
        let mut reader = SnapshotReader::default();
        while let Some(part) = next_part(&mut chunks).await? {
            let Part::Data(data) = part else {
                return Err(Status::invalid_argument("a snapshot has one header"));
            };
            reader.add(&data).map_err(|error| Status::data_loss(error.to_string()))?;
        }
        let state = reader.finish().map_err(|error| Status::data_loss(error.to_string()))?;
        let vote = types::vote_from_wire(header.vote.as_ref()).map_err(bad)?;
        let membership = types::membership_from_wire(header.membership.unwrap_or_default()).map_err(bad)?;
        let membership_id = header.membership_log_id.as_ref().map(types::log_id_from_wire);
        let meta = SnapshotMeta {
            last_log_id: header.last_log_id.as_ref().map(types::log_id_from_wire),
            last_membership: StoredMembership::new(membership_id, membership),
        };
        let installed = self.0.raft.install_full_snapshot(vote, Snapshot { meta, snapshot: state }).await;
        let answer = installed.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(v1::InstallSnapshotResponse { vote: Some(types::vote_to_wire(&answer.vote)) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderResponse>, Status> {
        let wire = request.into_inner();
        self.0.admit(wire.envelope.as_ref())?;
        let from = types::vote_from_wire(wire.from_leader.as_ref()).map_err(bad)?;
        let last = wire.last_log_id.as_ref().map(types::log_id_from_wire);
        let request = TransferLeaderRequest::new(from, wire.to_node_id, last);
        match self.0.raft.handle_transfer_leader(request).await {
            Ok(Ok(())) => Ok(Response::new(v1::TransferLeaderResponse {})),
            Ok(Err(error)) => Err(Status::aborted(error.to_string())),
            Err(error) => Err(Status::unavailable(error.to_string())),
        }
    }
}

#[tonic::async_trait]
impl v1::peer_server::Peer for Peer {
    async fn propose(
        &self,
        request: Request<v1::ProposeRequest>,
    ) -> Result<Response<v1::ProposeResponse>, Status> {
        let wire = request.into_inner();
        self.0.admit(wire.envelope.as_ref())?;
        let proposed = self.0.propose_here(wire.transaction).await;
        let (reply, applied_index) =
            proposed.map_err(|elsewhere| to_status(ProposeError::from(elsewhere)))?;
        Ok(Response::new(v1::ProposeResponse { reply: reply.encode(), applied_index }))
    }

    async fn read_index(
        &self,
        request: Request<v1::ReadIndexRequest>,
    ) -> Result<Response<v1::ReadIndexResponse>, Status> {
        self.0.admit(request.get_ref().envelope.as_ref())?;
        let index = self.0.read_index_here().await.map_err(to_status)?;
        Ok(Response::new(v1::ReadIndexResponse { index }))
    }

    async fn change_membership(
        &self,
        request: Request<v1::ChangeMembershipRequest>,
    ) -> Result<Response<v1::ChangeMembershipResponse>, Status> {
        let wire = request.into_inner();
        self.0.admit(wire.envelope.as_ref())?;
        let change = wire.change.and_then(Change::from_wire);
        let change = change.ok_or_else(|| Status::invalid_argument("change: missing"))?;
        self.0.change_here(change).await.map_err(to_status)?;
        Ok(Response::new(v1::ChangeMembershipResponse {}))
    }
}

/// The requests that are meant for us; the first that is not ends the stream.
fn admitted(
    core: Core,
    requests: Streaming<v1::AppendEntriesRequest>,
    refusal: oneshot::Sender<Status>,
) -> impl Stream<Item = AppendEntriesRequest<TypeConfig>> + Send {
    let mut refusal = Some(refusal);
    requests
        .map(move |wire| {
            let request = wire.and_then(|wire| {
                core.admit(wire.envelope.as_ref())?;
                append_request(wire).map_err(bad)
            });
            // A peer that is gone needs no reason.
            request.map_err(|status| refusal.take().map(|refusal| refusal.send(status))).ok()
        })
        .take_while(|request| ready(request.is_some()))
        .filter_map(ready)
}

fn append_request(wire: v1::AppendEntriesRequest) -> Result<AppendEntriesRequest<TypeConfig>, Missing> {
    Ok(AppendEntriesRequest {
        vote: types::vote_from_wire(wire.vote.as_ref())?,
        prev_log_id: wire.prev_log_id.as_ref().map(types::log_id_from_wire),
        leader_commit: wire.leader_commit.as_ref().map(types::log_id_from_wire),
        entries: wire.entries.into_iter().map(types::entry_from_wire).collect::<Result<_, _>>()?,
    })
}

fn append_response(
    result: Result<StreamAppendResult<TypeConfig>, Fatal<TypeConfig>>,
) -> Result<v1::AppendEntriesResponse, Status> {
    use v1::append_entries_response::Outcome;
    let result = result.map_err(|error| Status::unavailable(error.to_string()))?;
    let (outcome, log_id, vote) = match result {
        Ok(log_id) => (Outcome::Success, log_id, None),
        Err(StreamAppendError::Conflict(log_id)) => (Outcome::Conflict, Some(log_id), None),
        Err(StreamAppendError::HigherVote(vote)) => (Outcome::HigherVote, None, Some(vote)),
    };
    Ok(v1::AppendEntriesResponse {
        outcome: outcome.into(),
        log_id: log_id.as_ref().map(types::log_id_to_wire),
        vote: vote.as_ref().map(types::vote_to_wire),
    })
}

async fn next_part(chunks: &mut Streaming<v1::SnapshotChunk>) -> Result<Option<Part>, Status> {
    Ok(chunks.message().await?.and_then(|chunk| chunk.part))
}

fn bad(error: Missing) -> Status {
    Status::invalid_argument(error.to_string())
}
