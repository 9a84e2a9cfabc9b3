//! The proxy without its watches: the transparent sockets, the kernel's tables, and the
//! tasks of its connections. Whoever has routes gives them to [`Engine::apply`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use xebec_dataplane::ServicePort;

use crate::forward::{Forwarder, upstream};
use crate::netlink::NetlinkError;
use crate::network::Ipv4Network;
use crate::nft::{self, Elements};
use crate::routes::Routes;
use crate::routing;
use crate::udp::{self, Datagrams};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// After an accept that failed (no file descriptors left, mostly), others first finish.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Flows of datagrams that stand at once. Each takes a file descriptor.
const FLOWS_LIMIT: usize = 1 << 14;
/// Ports that are tried for the two transparent sockets, which have the same number.
const PORT_TRIES: usize = 16;

/// Why the engine cannot run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The transparent listener.
    #[error("cannot open the transparent listener (is CAP_NET_ADMIN missing?): {0}")]
    Listener(#[source] io::Error),
    /// The tables or the routes.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A thread that talked to the kernel died.
    #[error("a task that talks to the kernel ended: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// A running engine.
pub(crate) struct Engine {
    forwarder: Arc<Forwarder>,
    services: Ipv4Network,
    /// What the kernel's sets have; unknown after a failure.
    elements: Option<Elements>,
    settings: nft::Settings,
    cancel: CancellationToken,
    accepting: JoinHandle<()>,
    connections: TaskTracker,
    datagrams: Datagrams,
}

impl Engine {
    /// Opens the sockets, makes the tables and the routes, and accepts. `limit` bounds the
    /// connections that stand at once, and flows of datagrams too.
    pub(crate) async fn start(
        services: Ipv4Network,
        pods: Ipv4Network,
        limit: usize,
    ) -> Result<Self, EngineError> {
        let (listener, datagrams, address) = listen().map_err(EngineError::Listener)?;
        let settings = nft::Settings { listener: address, services, pods, mark: routing::MARK };
        blocking(move || routing::install(services).and_then(|()| nft::install(&settings))).await?;
        let forwarder = Arc::new(Forwarder::new(pods));
        let (cancel, connections) = (CancellationToken::new(), TaskTracker::new());
        let accept = accept(listener, Arc::clone(&forwarder), cancel.clone(), connections.clone(), limit);
        let accepting = tokio::spawn(accept);
        let elements = Some(Elements::default());
        let datagrams = Datagrams::start(datagrams, Arc::clone(&forwarder), limit.min(FLOWS_LIMIT));
        let datagrams = datagrams.map_err(EngineError::Listener)?;
        Ok(Self { forwarder, services, elements, settings, cancel, accepting, connections, datagrams })
    }

    /// Takes new routes over. Only what differs is written to the kernel's sets; when that
    /// fails the table is made anew.
    pub(crate) async fn apply(&mut self, ports: &[ServicePort]) -> Result<(), EngineError> {
        let before = self.forwarder.routes();
        let routes = Arc::new(Routes::build(&before, ports));
        let (old, new) = (self.elements.take(), routes.elements());
        // A set never redirects what has no route: routes first, then the sets.
        self.forwarder.set_routes(Arc::clone(&routes));
        self.datagrams.wake();
        before.end_what_is_gone(&routes);
        let (wanted, settings) = (new.clone(), self.settings);
        blocking(move || {
            match old.map(|old| nft::change(&old, &new)) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => tracing::warn!(%error, "the nftables sets are not as they were left"),
                None => {}
            }
            nft::install(&settings)?;
            nft::change(&Elements::default(), &new)
        })
        .await?;
        self.elements = Some(wanted);
        Ok(())
    }

    /// Ends every connection, then takes everything out of the kernel. There is nothing to
    /// drain: what stands cannot outlive the rules that lead its packets here.
    pub(crate) async fn stop(self) -> Result<(), EngineError> {
        self.cancel.cancel();
        self.accepting.await?;
        self.connections.close();
        self.connections.wait().await;
        let (services, datagrams) = (self.services, self.datagrams);
        blocking(move || {
            datagrams.stop();
            remove_leftovers(services)
        })
        .await
    }
}

/// Takes everything out of the kernel that a proxy puts there, also one that was killed:
/// the table, the rule and the routes. What is not there is no error.
///
/// # Errors
/// What the kernel refuses.
pub fn remove_leftovers(service_cidr: Ipv4Network) -> Result<(), NetlinkError> {
    nft::remove().and(routing::remove(service_cidr))
}

async fn blocking(
    work: impl FnOnce() -> Result<(), NetlinkError> + Send + 'static,
) -> Result<(), EngineError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// Both sockets on one port, so that one rule serves both.
fn listen() -> io::Result<(TcpListener, OwnedFd, SocketAddrV4)> {
    let mut failure = io::Error::other("no port was tried");
    for _ in 0..PORT_TRIES {
        let (listener, address) = listen_to_connections()?;
        match udp::listen(address) {
            Ok(datagrams) => return Ok((listener, datagrams, address)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// On loopback, so that nobody reaches it but by the redirect.
fn listen_to_connections() -> io::Result<(TcpListener, SocketAddrV4)> {
    let socket = TcpSocket::new_v4()?;
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    socket.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
    upstream::watch(&socket, upstream::CLIENT_IDLE_SECONDS);
    let listener = socket.listen(BACKLOG)?;
    match listener.local_addr()? {
        SocketAddr::V4(address) => Ok((listener, address)),
        SocketAddr::V6(address) => Err(io::Error::other(format!("bound to {address}"))),
    }
}

async fn accept(
    listener: TcpListener,
    forwarder: Arc<Forwarder>,
    cancel: CancellationToken,
    connections: TaskTracker,
    limit: usize,
) {
    let slots = Arc::new(Semaphore::new(limit));
    let next = async || {
        let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>((listener.accept().await?, slot))
    };
    while let Some(accepted) = cancel.run_until_cancelled(next()).await {
        match accepted {
            Ok(((client, peer), slot)) => {
                let (forwarder, cancel) = (Arc::clone(&forwarder), cancel.clone());
                connections.spawn(async move {
                    cancel.run_until_cancelled(forwarder.serve(client, peer)).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
