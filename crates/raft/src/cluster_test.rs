//! Three members in one process, over real sockets on loopback.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use xebec_state::{Key, Operation, Precondition, Refusal, Reply, Transaction};

use crate::{Member, Node, Options, StartError, Timings};

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    node: Node,
    id: u64,
    member: Member,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(dir: &Path, id: u64, listener: TcpListener, expect_log: bool) -> Result<Self, StartError> {
        let address = listener.local_addr().expect("bound").to_string();
        let member = Member { name: format!("m{id}"), client_address: String::new(), peer_address: address };
        let options = Options {
            dir: dir.join(format!("m{id}")),
            cluster_id: "test".to_owned(),
            raft_id: id,
            member: member.clone(),
            peer_tls: None,
            timings: Timings { heartbeat_ms: 50, election_min_ms: 200, election_max_ms: 400 },
            expect_log,
        };
        let node = Node::start(options).await?;
        let (raft, peer) = node.services();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        let server = tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(raft).add_service(peer);
            server.serve_with_incoming_shutdown(incoming, stopped.cancelled_owned()).await.expect("serves");
        });
        Ok(Self { node, id, member, stop, server })
    }

    /// As if it had been killed: no goodbye to the others.
    async fn stop(self) {
        self.server.abort();
        self.stop.cancel();
        // Its open connections hold the services, and those the log.
        let _ = self.server.await;
        self.node.shutdown().await;
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

async fn three(dir: &TempDir) -> Vec<Running> {
    let mut all = Vec::new();
    for id in 1..=3 {
        all.push(Running::start(dir.path(), id, bind().await, false).await.expect("starts"));
    }
    all[0].node.bootstrap(all[0].member.clone()).await.expect("one cluster");
    leader_of(&all[..1]).await;
    for joiner in &all[1..] {
        all[0].node.add_learner(joiner.id, joiner.member.clone()).await.expect("a learner");
        all[0].node.promote(joiner.id).await.expect("a voter");
    }
    all
}

async fn leader_of(all: &[Running]) -> usize {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        for (index, running) in all.iter().enumerate() {
            if running.node.leadership().borrow().leading.is_some() {
                return index;
            }
        }
        assert!(tokio::time::Instant::now() < deadline, "nobody leads");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn key(name: &str) -> Key {
    Key::new("configmaps", "default", name)
}

fn create(name: &str, size: usize) -> Transaction {
    Transaction {
        preconditions: vec![Precondition::Absent(key(name))],
        operations: vec![Operation::Put(key(name), vec![b'x'; size].into())],
        ..Transaction::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_takes_writes_and_reads_what_others_wrote() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = three(&dir).await;
    for (index, running) in all.iter().enumerate() {
        let name = format!("from-{index}");
        let reply = running.node.propose(&create(&name, 10)).await.expect("accepted");
        assert!(matches!(reply, Reply::Applied { .. }));
        assert!(running.node.state().get(&key(&name)).is_some(), "an answered write is in the own state");
        let again = running.node.propose(&create(&name, 10)).await.expect("answered");
        assert!(matches!(again, Reply::Refused(Refusal::Precondition { index: 0, .. })));
        for reader in &all {
            reader.node.barrier().await.expect("a read point");
            assert!(reader.node.state().get(&key(&name)).is_some());
        }
    }
    let hashes: Vec<u64> = all.iter().map(|running| running.node.state().hash()).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_the_leader_and_its_fence_does_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let term = all[leader].node.leadership().borrow().leading.expect("leads");
    let fenced = Transaction { fence: Some(term), ..create("fenced", 10) };
    assert!(matches!(all[leader].node.propose(&fenced).await.expect("its term"), Reply::Applied { .. }));
    all.remove(leader).stop().await;
    let next = leader_of(&all).await;
    all[next].node.propose(&create("after", 10)).await.expect("writes go on");
    let state = all[next].node.state();
    assert!(state.get(&key("fenced")).is_some() && state.get(&key("after")).is_some());
    let late = Transaction { fence: Some(term), ..create("late", 10) };
    let refused = all[next].node.propose(&late).await.expect("answered");
    assert!(matches!(refused, Reply::Refused(Refusal::Fenced { .. })), "{refused:?}");
    for running in all {
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_catches_up_also_by_snapshot() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut all = three(&dir).await;
    let leader = leader_of(&all).await;
    let away = all.remove((leader + 1) % 3);
    let (id, address) = (away.id, away.member.peer_address.clone());
    away.stop().await;
    let leader = leader_of(&all).await;
    // More than the log keeps, and larger than a chunk.
    all[leader].node.propose(&create("large", 300_000)).await.expect("accepted");
    for round in 0..130 {
        let writes = (0..50).map(|i| {
            let transaction = create(&format!("w-{round}-{i}"), 20);
            let node = &all[leader].node;
            async move { node.propose(&transaction).await.expect("accepted") }
        });
        futures::future::join_all(writes).await;
    }
    let listener = TcpListener::bind(&address).await.expect("its old port");
    let back = Running::start(dir.path(), id, listener, true).await.expect("starts again");
    let wanted = all[leader].node.state().revision();
    let mut revisions = back.node.revisions();
    tokio::time::timeout(PATIENCE, revisions.wait_for(|revision| *revision >= wanted))
        .await
        .expect("catches up")
        .expect("runs");
    assert_eq!(back.node.state().hash(), all[leader].node.state().hash());
    for running in all.into_iter().chain([back]) {
        running.stop().await;
    }
    for member in 1..=3 {
        for database in ["log", "state"] {
            let blobs = dir.path().join(format!("m{member}/{database}/blobs"));
            let blobs = std::fs::read_dir(blobs).map_or(0, Iterator::count);
            assert_eq!(blobs, 0, "sled never syncs its blobs: none may be made");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_everything_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    alone.node.bootstrap(alone.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&alone)).await;
    for i in 0..20 {
        alone.node.propose(&create(&format!("w-{i}"), 100_000)).await.expect("accepted");
    }
    let before = alone.node.state();
    let address = alone.member.peer_address.clone();
    alone.stop().await;
    let listener = TcpListener::bind(&address).await.expect("its old port");
    let again = Running::start(dir.path(), 1, listener, true).await.expect("starts again");
    leader_of(std::slice::from_ref(&again)).await;
    let after = again.node.state();
    assert_eq!((after.revision(), after.hash()), (before.revision(), before.hash()));
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_or_damaged_log_is_refused_with_the_way_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let lost = Running::start(dir.path(), 1, bind().await, true).await.err().expect("refused").to_string();
    assert!(lost.contains("has an identity but no log"), "{lost}");
    assert!(lost.contains("xctl token create --master"), "{lost}");

    let whole = Running::start(dir.path(), 2, bind().await, false).await.expect("starts");
    whole.node.bootstrap(whole.member.clone()).await.expect("one cluster");
    leader_of(std::slice::from_ref(&whole)).await;
    whole.stop().await;
    let log = dir.path().join("m2/log/db");
    let length = std::fs::metadata(&log).expect("there").len();
    std::fs::write(&log, vec![0; length as usize]).expect("wiped");
    let wiped = Running::start(dir.path(), 2, bind().await, true).await.err().expect("refused").to_string();
    assert!(wiped.contains("to rejoin"), "{wiped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_of_another_cluster_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let alone = Running::start(dir.path(), 1, bind().await, false).await.expect("starts");
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", alone.member.peer_address));
    let channel = channel.expect("an address").connect().await.expect("connects");
    let mut client = xebec_rpc::raft::v1::raft_client::RaftClient::new(channel);
    for (cluster_id, to, why) in [
        ("other", 1, "this master belongs to another cluster"),
        ("test", 9, "this address now belongs to another master"),
    ] {
        let envelope = xebec_rpc::raft::v1::Envelope { cluster_id: cluster_id.into(), from: 7, to };
        let vote = xebec_rpc::raft::v1::Vote { term: 99, node_id: 7, committed: true };
        let request = xebec_rpc::raft::v1::VoteRequest {
            envelope: Some(envelope),
            vote: Some(vote),
            ..Default::default()
        };
        let refused = client.vote(request).await.expect_err("refused");
        assert_eq!((refused.code(), refused.message()), (tonic::Code::FailedPrecondition, why));
    }
    assert_eq!(alone.node.leadership().borrow().term, 0, "a refused message changes nothing");
    alone.stop().await;
}
