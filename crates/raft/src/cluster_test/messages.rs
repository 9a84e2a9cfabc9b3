//! Messages that no master of ours sends: each is refused, and changes nothing.

use bytes::Bytes;
use tonic::Code;
use tonic::transport::Channel;
use xebec_rpc::raft::v1;
use xebec_rpc::raft::v1::peer_client::PeerClient;
use xebec_rpc::raft::v1::raft_client::RaftClient;
use xebec_rpc::raft::v1::snapshot_chunk::Part;

use super::*;

async fn channel(to: &Running) -> Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", to.member.peer_address));
    endpoint.expect("an address").connect().await.expect("connects")
}

fn envelope(to: &Running, dir: &TempDir) -> Option<v1::Envelope> {
    Some(v1::Envelope { cluster_id: cluster_id(dir.path()), from: 9, to: to.id })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_without_their_parts_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    let ours = envelope(&one, &dir);
    let (mut raft, mut peer) = (RaftClient::new(channel(&one).await), PeerClient::new(channel(&one).await));
    let statuses = [
        raft.vote(v1::VoteRequest::default()).await.expect_err("refused"),
        raft.vote(v1::VoteRequest { envelope: ours.clone(), ..Default::default() })
            .await
            .expect_err("refused"),
        raft.transfer_leader(v1::TransferLeaderRequest { envelope: ours.clone(), ..Default::default() })
            .await
            .expect_err("refused"),
        peer.propose(v1::ProposeRequest::default()).await.expect_err("refused"),
        peer.read_index(v1::ReadIndexRequest::default()).await.expect_err("refused"),
        peer.change_membership(v1::ChangeMembershipRequest { envelope: ours, change: None })
            .await
            .expect_err("refused"),
    ];
    let told = statuses.map(|status| format!("{:?}: {}", status.code(), status.message()));
    expect_test::expect![[r#"
        InvalidArgument: envelope: missing
        InvalidArgument: a damaged Raft message: no vote
        InvalidArgument: a damaged Raft message: no vote
        InvalidArgument: envelope: missing
        InvalidArgument: envelope: missing
        InvalidArgument: change: missing"#]]
    .assert_eq(&told.join("\n"));
    assert_eq!(one.node.leadership().borrow().term, 0);
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_stream_says_why_it_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    let mut raft = RaftClient::new(channel(&one).await);
    let other = envelope(&one, &dir).map(|envelope| v1::Envelope { cluster_id: "other".into(), ..envelope });
    let vote = Some(v1::Vote { term: 99, node_id: 9, committed: true });
    for (envelope, vote, code) in
        [(other, vote, Code::FailedPrecondition), (envelope(&one, &dir), None, Code::InvalidArgument)]
    {
        let request = v1::AppendEntriesRequest { envelope, vote, ..Default::default() };
        let mut answers =
            raft.append_entries(futures::stream::iter([request])).await.expect("opens").into_inner();
        let ended = answers.message().await.expect_err("refused");
        assert_eq!(ended.code(), code, "{ended}");
    }
    assert_eq!(one.node.leadership().borrow().term, 0, "a refused message changes nothing");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_none_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    let header = |vote| v1::SnapshotHeader {
        envelope: envelope(&one, &dir),
        vote,
        last_log_id: Some(v1::LogId { term: 99, index: 5, node_id: 0 }),
        ..Default::default()
    };
    let whole: Vec<Bytes> = xebec_state::State::default().into_snapshot(1 << 20).collect();
    let head = || Part::Header(header(Some(v1::Vote { term: 99, node_id: 9, committed: true })));
    let data = |bytes: &Bytes| Part::Data(bytes.clone());
    let streams = [
        vec![],
        vec![data(&whole[0])],
        vec![head()],
        vec![head(), head()],
        vec![head(), data(&whole[0].slice(..whole[0].len() - 1))],
        vec![head(), Part::Data(Bytes::from_static(&[0xff; 100]))],
        vec![Part::Header(header(None)), data(&whole[0])],
    ];
    let mut told = Vec::new();
    for parts in streams {
        let chunks: Vec<_> = parts.into_iter().map(|part| v1::SnapshotChunk { part: Some(part) }).collect();
        let mut raft = RaftClient::new(channel(&one).await);
        let refused = raft.install_snapshot(futures::stream::iter(chunks)).await.expect_err("refused");
        told.push(format!("{:?}: {}", refused.code(), refused.message()));
    }
    expect_test::expect![[r#"
        InvalidArgument: a snapshot starts with its header
        InvalidArgument: a snapshot starts with its header
        DataLoss: a damaged snapshot: it has no head
        InvalidArgument: a snapshot has one header
        DataLoss: a damaged snapshot: it ends early
        DataLoss: a damaged snapshot: a record is too large
        InvalidArgument: a damaged Raft message: no vote"#]]
    .assert_eq(&told.join("\n"));
    assert_eq!(one.node.state().revision(), 0);
    one.stop().await;
}
