//! Members in one process, over real sockets on loopback.

mod faults;
mod membership;
mod messages;
pub(crate) mod partition;
mod writes;

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
            cluster_id: cluster_id(dir),
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
        let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
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

/// One of its own for each test, since all run in this process.
fn cluster_id(dir: &Path) -> String {
    dir.display().to_string()
}

/// Polls, since nothing here is worth a channel of its own.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
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
    let leads = |running: &Running| running.node.leadership().borrow().leading.is_some();
    eventually("one leads", || all.iter().any(leads)).await;
    all.iter().position(leads).unwrap_or_default()
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
