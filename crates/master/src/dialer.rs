//! The way from any master to any node: by the session here, or by the master that
//! holds it. Masters are not on the pods' network; this is their only way.

use std::sync::{Arc, Weak};

use futures::StreamExt;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};
use xebec_apiserver::pod_streams::NodeDialer;
use xebec_rpc::raft::v1 as raft;
use xebec_rpc::raft::v1::sessions_client::SessionsClient;

use crate::master::Shared;
use crate::sessions::{TUNNEL_BYTES, pump};

/// The way from a master's apiserver to the nodes. It does not keep the master alive.
pub(crate) struct Tunnels(pub(crate) Weak<Shared>);

#[tonic::async_trait]
impl NodeDialer for Tunnels {
    async fn dial(&self, node: &str) -> Result<Channel, String> {
        let shared = self.0.upgrade().ok_or_else(|| "this master is stopping".to_owned())?;
        channel(&shared, node).await
    }
}

/// A gRPC channel to a node's agent.
///
/// # Errors
/// Why no master reaches the node.
async fn channel(shared: &Arc<Shared>, node: &str) -> Result<Channel, String> {
    let stream = dial(shared, node).await?;
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = stream.take().ok_or_else(|| std::io::Error::other("a tunnel is used once"));
        std::future::ready(stream)
    });
    let endpoint = Endpoint::from_static("http://node");
    endpoint.connect_with_connector(connector).await.map_err(|error| format!("node {node}: {error}"))
}

async fn dial(shared: &Arc<Shared>, node: &str) -> Result<DuplexStream, String> {
    let here = match shared.sessions.dial(node).await {
        Some(Ok(stream)) => return Ok(stream),
        Some(Err(why)) => Some(why),
        None => None,
    };
    for member in shared.node.members() {
        if member.member.name == shared.config.name {
            continue;
        }
        if let Ok(stream) = by_peer(shared, member.raft_id, &member.member, node).await {
            return Ok(stream);
        }
    }
    // What is wrong with the session here says more than that no other master has one.
    Err(here.unwrap_or_else(|| format!("node {node} has no session with any master: is its agent running?")))
}

async fn by_peer(
    shared: &Arc<Shared>,
    id: u64,
    member: &xebec_raft::Member,
    node: &str,
) -> Result<DuplexStream, String> {
    let channel = shared.node.peer_channel(member).map_err(|error| error.to_string())?;
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    let first = raft::DialFrame {
        envelope: shared.node.envelope(id),
        node_name: node.to_owned(),
        data: bytes::Bytes::new(),
    };
    sender.send(first).await.map_err(|error| error.to_string())?;
    let answer = SessionsClient::new(channel).dial_node(ReceiverStream::new(receiver)).await;
    let incoming = answer.map_err(|status| status.message().to_owned())?.into_inner();
    let (ours, theirs) = tokio::io::duplex(TUNNEL_BYTES);
    let mut outgoing = pump(ours, incoming.map(|frame| frame.map(|frame| frame.data)).boxed());
    tokio::spawn(async move {
        while let Some(data) = outgoing.next().await {
            let frame = raft::DialFrame { envelope: None, node_name: String::new(), data };
            if sender.send(frame).await.is_err() {
                return;
            }
        }
    });
    Ok(theirs)
}

/// A client of what a node's agent measures.
///
/// # Errors
/// As [`channel`].
pub(crate) async fn stats(
    shared: &Arc<Shared>,
    node: &str,
) -> Result<xebec_rpc::node::v1::stats_client::StatsClient<Channel>, String> {
    channel(shared, node).await.map(xebec_rpc::node::v1::stats_client::StatsClient::new)
}
