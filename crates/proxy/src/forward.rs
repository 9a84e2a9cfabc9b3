//! One connection: finds its route by the address that the client meant, connects to an
//! endpoint (another one when that fails), and relays.

pub(crate) mod upstream;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::future::{Abortable, Aborted};
use ipnet::Ipv4Net;
use nix::sys::socket::{setsockopt, sockopt};
use rand::Rng as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use xebec_dataplane::Protocol;

use crate::affinity::Affinities;
use crate::pipes::Pipes;
use crate::relay::relay;
use crate::routes::{Backend, Counted, Origin, Route, Routes};

/// So many endpoints are tried for one connection.
const TRIES: usize = 4;
/// An endpoint that did not answer is tried last for so long.
const SUSPECT: Duration = Duration::from_secs(5);

/// What every connection and every flow needs.
pub(crate) struct Forwarder {
    routes: RwLock<Arc<Routes>>,
    affinities: Mutex<Affinities>,
    pods: Ipv4Net,
    pipes: Pipes,
    started: Instant,
}

impl Forwarder {
    pub(crate) fn new(pods: Ipv4Net) -> Self {
        Self {
            routes: RwLock::default(),
            affinities: Mutex::default(),
            pods,
            pipes: Pipes::default(),
            started: Instant::now(),
        }
    }

    /// The table that new connections go by.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_routes(&self, routes: Arc<Routes>) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// Serves one connection to its end. A client that cannot be served is reset, and so
    /// are both sides when the endpoint is gone.
    pub(crate) async fn serve(&self, mut client: TcpStream, peer: SocketAddr) {
        let (Ok(SocketAddr::V4(meant)), SocketAddr::V4(peer)) = (client.local_addr(), peer) else { return };
        let origin = self.origin(*peer.ip(), meant);
        let Some((mut upstream, backend)) = self.connect(meant, origin).await else {
            tracing::debug!(%meant, %peer, "no endpoint took the connection");
            return reset(&client);
        };
        let (_standing, registration) = backend.relay();
        let relayed = relay(&mut client, &mut upstream, &self.pipes);
        match Abortable::new(relayed, registration).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::debug!(%meant, %peer, %error, "a connection broke"),
            Err(Aborted) => tracing::debug!(%meant, %peer, "a connection's endpoint is gone"),
        }
        reset(&client);
        reset(&upstream);
    }

    async fn connect(&self, meant: SocketAddrV4, origin: Origin) -> Option<(TcpStream, Counted)> {
        let mut tried = Vec::new();
        while tried.len() < TRIES {
            // Others may be there by now.
            let route = self.routes().find(Protocol::Tcp, meant, origin).cloned()?;
            let backend = self.pick(&route, origin.address, &tried)?;
            // Counted from now on, so that a burst of connections spreads.
            let backend = backend.count();
            let patience = upstream::patience(others(route.backends.len(), tried.len()));
            let connecting = upstream::connect(&backend, self.source(&backend, origin.address), patience);
            let (standing, registration) = backend.relay();
            let connected = Abortable::new(connecting, registration).await;
            drop(standing);
            match connected {
                Ok(Ok(stream)) => return Some((stream, backend)),
                Ok(Err(error)) => {
                    tracing::debug!(%meant, endpoint = %backend.endpoint.address, %error, "cannot connect");
                    self.suspect(&backend);
                }
                Err(Aborted) => {
                    tracing::debug!(%meant, endpoint = %backend.endpoint.address, "it is gone meanwhile");
                }
            }
            tried.push(backend.endpoint.address);
        }
        None
    }

    /// An endpoint for a client that was not `tried` for it; the one that it met last, if
    /// the Service wants that.
    pub(crate) fn pick(
        &self,
        route: &Route,
        client: Ipv4Addr,
        tried: &[SocketAddrV4],
    ) -> Option<Arc<Backend>> {
        let now_ms = self.now_ms();
        let mut draw = |limit: usize| rand::rng().random_range(0..limit);
        let Some(timeout) = route.affinity else {
            return route.pick(None, tried, now_ms, &mut draw).cloned();
        };
        let client = (client, Arc::clone(&route.name));
        let mut affinities = self.affinities.lock().unwrap_or_else(PoisonError::into_inner);
        let held = affinities.held(&client, timeout, now_ms);
        let backend = route.pick(held, tried, now_ms, &mut draw).cloned()?;
        affinities.hold(client, backend.endpoint.address, now_ms);
        Some(backend)
    }

    /// Where a client comes from, by its address and the one that it meant: the node itself
    /// meets its own addresses from the very same.
    pub(crate) fn origin(&self, client: Ipv4Addr, meant: SocketAddrV4) -> Origin {
        let inside = self.pods.contains(&client) || client.is_loopback() || client == *meant.ip();
        Origin { address: client, inside }
    }

    /// Others are tried before this endpoint for a while.
    pub(crate) fn suspect(&self, backend: &Backend) {
        backend.suspect(self.now_ms() + upstream::millis(SUSPECT));
    }

    /// The client's own address as the source, where the answers come back this way: from
    /// a pod of this node. A pod that reaches itself would refuse a packet from its own
    /// address, and one from loopback is refused by everybody.
    pub(crate) fn source(&self, backend: &Backend, client: Ipv4Addr) -> Option<Ipv4Addr> {
        let endpoint = *backend.endpoint.address.ip();
        let possible = self.pods.contains(&endpoint) && endpoint != client && !client.is_loopback();
        (backend.endpoint.local && possible).then_some(client)
    }

    /// Milliseconds since the proxy began.
    pub(crate) fn now_ms(&self) -> u64 {
        upstream::millis(self.started.elapsed())
    }
}

/// How many endpoints are left for a connection after the next one.
fn others(endpoints: usize, tried: usize) -> usize {
    endpoints.min(TRIES).saturating_sub(tried + 1)
}

/// Makes the close of a connection a reset.
fn reset(stream: &TcpStream) {
    let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
    if let Err(error) = setsockopt(stream, sockopt::Linger, &linger) {
        tracing::debug!(%error, "SO_LINGER");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A single endpoint that is busy for a moment would otherwise have its clients reset.
    #[test]
    fn the_last_endpoint_is_waited_for_as_long_as_a_busy_one_takes() {
        let seconds = |endpoints, tried| upstream::patience(others(endpoints, tried)).as_secs();
        assert_eq!(
            [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2)].map(|(all, tried)| seconds(all, tried)),
            [10, 1, 10, 1, 10]
        );
        assert_eq!([(9, 0), (9, 2), (9, 3)].map(|(all, tried)| seconds(all, tried)), [1, 1, 10]);
    }
}
