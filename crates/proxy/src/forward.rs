//! One connection: finds its route by the address that the client meant, connects to an
//! endpoint (another one when that fails), and relays.

mod upstream;

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use rand::Rng as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::network::Ipv4Network;
use crate::pipes::Pipes;
use crate::relay::relay;
use crate::routes::{Backend, Counted, Route, Routes, order};

/// So many endpoints are tried for one connection.
const TRIES: usize = 4;
/// An endpoint that did not answer is tried last for so long.
const SUSPECT: Duration = Duration::from_secs(5);

/// What every connection needs.
pub(crate) struct Forwarder {
    routes: RwLock<Arc<Routes>>,
    pods: Ipv4Network,
    pipes: Pipes,
    started: Instant,
}

impl Forwarder {
    pub(crate) fn new(pods: Ipv4Network) -> Self {
        let routes = RwLock::default();
        Self { routes, pods, pipes: Pipes::default(), started: Instant::now() }
    }

    /// The table that new connections go by.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_routes(&self, routes: Arc<Routes>) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// Serves one connection to its end. A client that cannot be served is reset.
    pub(crate) async fn serve(&self, mut client: TcpStream) {
        let (Ok(SocketAddr::V4(meant)), Ok(SocketAddr::V4(peer))) = (client.local_addr(), client.peer_addr())
        else {
            return;
        };
        let Some(route) = self.routes().find(meant) else { return reset(&client) };
        let Some((mut upstream, _counted)) = self.connect(&route, meant, peer).await else {
            tracing::debug!(%meant, %peer, "no endpoint took the connection");
            return reset(&client);
        };
        let options = client.set_nodelay(true).and_then(|()| upstream.set_nodelay(true));
        if let Err(error) = options {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        upstream::watch(&client, upstream::CLIENT_IDLE_SECONDS);
        if let Err(error) = relay(&mut client, &mut upstream, &self.pipes).await {
            tracing::debug!(%meant, %peer, %error, "a connection broke");
            reset(&client);
            reset(&upstream);
        }
    }

    async fn connect(
        &self,
        route: &Route,
        meant: SocketAddrV4,
        peer: SocketAddrV4,
    ) -> Option<(TcpStream, Counted)> {
        let mut draw = |limit: usize| rand::rng().random_range(0..limit);
        let backends = order(route, *peer.ip(), self.now_ms(), &mut draw);
        for backend in backends.into_iter().take(TRIES) {
            match upstream::connect(&backend, self.source(&backend, peer)).await {
                Ok(stream) => return Some((stream, backend.count())),
                Err(error) => {
                    tracing::debug!(%meant, endpoint = %backend.endpoint.address, %error, "cannot connect");
                    backend.suspect(self.now_ms() + upstream::millis(SUSPECT));
                }
            }
        }
        None
    }

    /// The client's own address as the source, where that can work: a pod that talks to
    /// another pod, and that one is on this node. A pod that reaches itself would refuse
    /// a packet from its own address.
    fn source(&self, backend: &Backend, peer: SocketAddrV4) -> Option<SocketAddrV4> {
        let pods = self.pods.contains(*peer.ip()) && self.pods.contains(*backend.endpoint.address.ip());
        let itself = peer.ip() == backend.endpoint.address.ip();
        (backend.endpoint.local && pods && !itself).then_some(peer)
    }

    fn now_ms(&self) -> u64 {
        upstream::millis(self.started.elapsed())
    }
}

/// Makes the close of a connection a reset.
fn reset(stream: &TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    if let Err(error) = setsockopt(stream, sockopt::Linger, &linger) {
        tracing::debug!(%error, "SO_LINGER");
    }
}
