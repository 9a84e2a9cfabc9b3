//! The nodes' sessions that this master holds: when each was last heard of, and the
//! way to open a tunnel to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::{Status, Streaming};
use xebec_rpc::v1;

/// Bytes on their way through a tunnel, in each direction.
pub(crate) const TUNNEL_BYTES: usize = 64 << 10;
/// Orders to an agent that may wait.
const ORDERS: usize = 64;
/// How long an agent may take to open a tunnel.
const OPENING: Duration = Duration::from_secs(5);
/// An agent sends a heartbeat a second: a session that is silent for longer leads nowhere.
const SILENCE: Duration = Duration::from_secs(4);

/// What a session's stream to the agent carries.
pub(crate) type Orders = mpsc::Receiver<Result<v1::SessionDown, Status>>;

/// Every session of this master.
#[derive(Default)]
pub(crate) struct Sessions {
    nodes: Mutex<HashMap<String, Session>>,
    opening: Mutex<HashMap<String, oneshot::Sender<DuplexStream>>>,
}

struct Session {
    id: u64,
    seen: Instant,
    orders: mpsc::Sender<Result<v1::SessionDown, Status>>,
}

/// A tunnel that somebody waits for.
struct Opening<'a> {
    sessions: &'a Sessions,
    tunnel_id: String,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.sessions.opening().remove(&self.tunnel_id);
    }
}

impl Sessions {
    /// Opens a node's session; a newer one ends the older.
    pub(crate) fn open(&self, node: &str, id: u64) -> Orders {
        let (orders, receiver) = mpsc::channel(ORDERS);
        self.nodes().insert(node.to_owned(), Session { id, seen: Instant::now(), orders });
        receiver
    }

    /// The node was heard of.
    pub(crate) fn heard(&self, node: &str, id: u64) {
        if let Some(session) = self.nodes().get_mut(node).filter(|session| session.id == id) {
            session.seen = Instant::now();
        }
    }

    /// The session ended, unless a newer one took its place.
    pub(crate) fn close(&self, node: &str, id: u64) {
        let mut nodes = self.nodes();
        if nodes.get(node).is_some_and(|session| session.id == id) {
            nodes.remove(node);
        }
    }

    /// Sends every agent the masters that there are.
    pub(crate) fn announce(&self, masters: &[String]) {
        let masters = v1::Masters { client_addresses: masters.to_vec() };
        let order = v1::SessionDown { message: Some(v1::session_down::Message::Masters(masters)) };
        for session in self.nodes().values() {
            // An agent whose queue is full hears the next announcement.
            let _ = session.orders.try_send(Ok(order.clone()));
        }
    }

    /// How long ago each node was heard of.
    #[must_use]
    pub(crate) fn ages(&self) -> BTreeMap<String, Duration> {
        self.nodes().iter().map(|(node, session)| (node.clone(), session.seen.elapsed())).collect()
    }

    /// Bytes both ways with a node whose session is here; `None` when it is not, or is silent:
    /// the agent may have gone to another master, and its connection here not have ended yet.
    ///
    /// # Errors
    /// Why the agent did not open its end.
    pub(crate) async fn dial(&self, node: &str) -> Option<Result<DuplexStream, String>> {
        let orders = {
            let nodes = self.nodes();
            nodes.get(node).filter(|session| session.seen.elapsed() < SILENCE)?.orders.clone()
        };
        let tunnel_id = uuid::Uuid::new_v4().to_string();
        let (opened, waiting) = oneshot::channel();
        self.opening().insert(tunnel_id.clone(), opened);
        // Forgotten also where the caller waits no longer.
        let _opening = Opening { sessions: self, tunnel_id: tunnel_id.clone() };
        let open = v1::OpenTunnel { tunnel_id };
        let order = v1::SessionDown { message: Some(v1::session_down::Message::OpenTunnel(open)) };
        let outcome = async {
            orders.send(Ok(order)).await.map_err(|_| format!("the session of node {node} just ended"))?;
            waiting.await.map_err(|_| "gone".to_owned())
        };
        let outcome = tokio::time::timeout(OPENING, outcome).await;
        Some(outcome.unwrap_or_else(|_| Err(format!("node {node} did not answer within {OPENING:?}"))))
    }

    /// The agent's end of a tunnel that was ordered.
    ///
    /// # Errors
    /// When nobody waits for it.
    pub(crate) fn opened(
        &self,
        tunnel_id: &str,
        frames: Streaming<v1::TunnelFrame>,
    ) -> Result<BoxStream<'static, Result<v1::TunnelFrame, Status>>, Status> {
        let waiting = self.opening().remove(tunnel_id);
        let waiting = waiting.ok_or_else(|| Status::not_found("nobody waits for this tunnel"))?;
        let (ours, theirs) = tokio::io::duplex(TUNNEL_BYTES);
        waiting.send(theirs).map_err(|_| Status::cancelled("nobody waits for this tunnel any more"))?;
        let incoming = frames.map(|frame| frame.map(|frame| frame.data));
        let outgoing = pump(ours, incoming.boxed());
        Ok(outgoing.map(|data| Ok(v1::TunnelFrame { tunnel_id: String::new(), data })).boxed())
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.nodes.lock().expect("no holder of this lock panics")
    }

    fn opening(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<DuplexStream>>> {
        self.opening.lock().expect("no holder of this lock panics")
    }
}

/// Joins a duplex with two streams of frames: what comes in is written to it, what is
/// read from it goes out. The inward task ends with either side.
pub(crate) fn pump(
    stream: DuplexStream,
    mut incoming: BoxStream<'static, Result<bytes::Bytes, Status>>,
) -> BoxStream<'static, bytes::Bytes> {
    let (reader, mut writer) = tokio::io::split(stream);
    tokio::spawn(async move {
        while let Some(Ok(data)) = incoming.next().await {
            if writer.write_all(&data).await.is_err() {
                return;
            }
        }
        // The other end hung up: the reader there sees the end.
        let _ = writer.shutdown().await;
    });
    tokio_util::io::ReaderStream::new(reader).filter_map(|read| std::future::ready(read.ok())).boxed()
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
