//! The agent's one session with any master: a heartbeat a second, and the orders that
//! come back on it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use xebec_client::Channel;
use xebec_rpc::node::v1::node_server::NodeServer;
use xebec_rpc::node::v1::stats_server::StatsServer;
use xebec_rpc::v1;
use xebec_rpc::v1::nodes_client::NodesClient;
use xebec_rpc::v1::session_down::Message;

use crate::node_service::NodeService;
use crate::run::{Agent, servers};
use crate::stats_service::StatsService;

const HEARTBEAT: Duration = Duration::from_secs(1);
/// A master that does not take a heartbeat within this is given up.
const SILENCE: Duration = Duration::from_secs(3);
const TUNNEL_BYTES: usize = 64 << 10;
const RETRY: Duration = Duration::from_millis(200);

/// Keeps a session for as long as the agent runs.
pub(crate) async fn run(agent: Arc<Agent>) {
    loop {
        let session = async {
            let channel = agent.client.channel().await.map_err(|error| error.to_string())?;
            hold(&agent, channel).await.map_err(|status| status.message().to_owned())
        };
        tokio::select! {
            outcome = session => if let Err(why) = outcome { tracing::warn!(why, "the session ended") },
            () = agent.stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = agent.stop.cancelled() => return,
        }
    }
}

async fn hold(agent: &Arc<Agent>, channel: Channel) -> Result<(), Status> {
    let mut client = NodesClient::new(channel.clone());
    let (up, receiver) = mpsc::channel(4);
    let hello = v1::Hello {
        node_name: agent.config.name.clone(),
        boot_id: rand::random::<u64>().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let ended = |_| Status::unavailable("the master hung up");
    up.send(message(v1::session_up::Message::Hello(hello))).await.map_err(ended)?;
    let mut orders = client.session(ReceiverStream::new(receiver)).await?.into_inner();
    let mut tick = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            order = orders.message() => match order?.and_then(|order| order.message) {
                Some(order) => obey(agent, &channel, order),
                None => return Err(Status::unavailable("the master ended the session")),
            },
            _ = tick.tick() => {
                let beat = up.send(message(v1::session_up::Message::Heartbeat(v1::Heartbeat {})));
                let sent = tokio::time::timeout(SILENCE, beat).await;
                sent.map_err(|_| Status::unavailable("the master takes no heartbeat"))?.map_err(ended)?;
            }
        }
    }
}

fn message(message: v1::session_up::Message) -> v1::SessionUp {
    v1::SessionUp { message: Some(message) }
}

fn obey(agent: &Arc<Agent>, channel: &Channel, order: Message) {
    match order {
        Message::Masters(masters) => match servers(&masters.client_addresses) {
            Ok(servers) => agent.client.set_servers(servers),
            Err(error) => tracing::warn!(%error, "the masters' addresses cannot be used"),
        },
        Message::OpenTunnel(open) => {
            let (agent, channel) = (agent.clone(), channel.clone());
            // Ends with the stream that the master opened it for, or with the agent.
            tokio::spawn(async move {
                let stop = agent.stop.clone();
                let tunnel = tunnel(agent, channel, open.tunnel_id);
                if let Some(Err(status)) = stop.run_until_cancelled(tunnel).await {
                    tracing::debug!(%status, "a tunnel ended");
                }
            });
        }
    }
}

/// Serves `xebec.node.v1.Node` and `Stats` over a tunnel that the master ordered.
async fn tunnel(agent: Arc<Agent>, channel: Channel, tunnel_id: String) -> Result<(), Status> {
    let (ours, theirs) = tokio::io::duplex(TUNNEL_BYTES);
    let (reader, mut writer) = tokio::io::split(ours);
    let first = v1::TunnelFrame { tunnel_id, data: bytes::Bytes::new() };
    let outgoing = tokio_util::io::ReaderStream::new(reader).filter_map(|read| std::future::ready(read.ok()));
    let outgoing = outgoing.map(|data| v1::TunnelFrame { tunnel_id: String::new(), data });
    let frames = futures::stream::iter([first]).chain(outgoing);
    let mut incoming = NodesClient::new(channel).tunnel(frames).await?.into_inner();
    let server = tonic::transport::Server::builder()
        .add_service(NodeServer::new(NodeService::new(agent.clone())))
        .add_service(StatsServer::new(StatsService::new(agent)))
        .serve_with_incoming(futures::stream::iter([Ok::<_, std::io::Error>(theirs)]).chain(open_end()));
    let pump = async move {
        while let Some(frame) = incoming.message().await? {
            if writer.write_all(&frame.data).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    tokio::select! {
        served = server => served.map_err(|error| Status::internal(error.to_string())),
        pumped = pump => pumped,
    }
}

/// A server ends with its incoming stream; this one lasts as long as its connection.
fn open_end() -> impl futures::Stream<Item = Result<DuplexStream, std::io::Error>> {
    futures::stream::pending()
}
