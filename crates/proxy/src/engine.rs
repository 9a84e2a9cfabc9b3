//! The proxy without its watches: the transparent sockets, the kernel's tables, and the
//! threads of its connections and datagrams. Whoever has routes gives them to [`Engine::apply`].

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use ipnet::Ipv4Net;
use xebec_dataplane::ServicePort;

use crate::forward::Forwarder;
use crate::neighbours;
use crate::netlink::NetlinkError;
use crate::nft::{self, Elements};
use crate::ports::{self, Reuse};
use crate::routes::Routes;
use crate::routing;
use crate::udp::{self, Datagrams};
use crate::workers::{Listeners, Workers};

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
    /// The node's neighbours have addresses of Services.
    #[error(
        "{network} of {interface} lies in {services}, which is for Services: this node would reach nobody there \
         any more; give the cluster another cluster.service_cidr"
    )]
    Neighbours {
        /// The node's interface.
        interface: String,
        /// Its network.
        network: Ipv4Net,
        /// That of Services.
        services: Ipv4Net,
    },
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
    services: Ipv4Net,
    /// What the kernel's sets have; unknown at first and after a failure.
    elements: Option<Elements>,
    settings: nft::Settings,
    workers: Workers,
    datagrams: Datagrams,
    reuse: Reuse,
}

impl Engine {
    /// Opens the sockets, makes the routes, and accepts. The table of an earlier proxy stands
    /// until the first [`Engine::apply`] puts its own in its place. `limit` bounds the
    /// connections that stand at once, and flows of datagrams too.
    pub(crate) async fn start(services: Ipv4Net, pods: Ipv4Net, limit: usize) -> Result<Self, EngineError> {
        match neighbours::within(services) {
            Ok(None) => {}
            Ok(Some((interface, network))) => {
                return Err(EngineError::Neighbours { interface, network, services });
            }
            Err(error) => tracing::warn!(%error, "the node's own networks are not known"),
        }
        let (listeners, datagrams) = listen().map_err(EngineError::Listener)?;
        let settings = nft::Settings { listener: listeners.address, services, pods, mark: routing::MARK };
        blocking(move || routing::install(services)).await?;
        let forwarder = Arc::new(Forwarder::new(pods));
        let carried = Arc::clone(&forwarder);
        let workers = tokio::task::spawn_blocking(move || Workers::start(listeners, carried, limit));
        let workers = workers.await?.map_err(EngineError::Listener)?;
        let datagrams = Datagrams::start(datagrams, Arc::clone(&forwarder), limit.min(FLOWS_LIMIT));
        let datagrams = datagrams.map_err(EngineError::Listener)?;
        let reuse = Reuse::allow();
        Ok(Self { forwarder, services, elements: None, settings, workers, datagrams, reuse })
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
            nft::install(&settings, &new)
        })
        .await?;
        self.elements = Some(wanted);
        Ok(())
    }

    /// Puts back what somebody else took out of the kernel: a firewall's restart flushes every
    /// table, and a network daemon's drops rules and routes that it does not know. When that
    /// fails, the next [`Engine::apply`] makes all anew.
    pub(crate) async fn look_after(&mut self) -> Result<(), EngineError> {
        let Some(elements) = self.elements.take() else { return Ok(()) };
        let (wanted, settings, services) = (elements.clone(), self.settings, self.services);
        blocking(move || {
            routing::install(services)?;
            if nft::is_there()? {
                return Ok(());
            }
            tracing::warn!("somebody dropped the nftables table; it is made anew");
            nft::install(&settings, &wanted)
        })
        .await?;
        self.elements = Some(elements);
        Ok(())
    }

    /// Ends every connection, then takes everything out of the kernel. There is nothing to
    /// drain: what stands cannot outlive the rules that lead its packets here.
    pub(crate) async fn stop(self) -> Result<(), EngineError> {
        let (services, workers, datagrams) = (self.services, self.workers, self.datagrams);
        let reuse = self.reuse;
        blocking(move || {
            workers.stop();
            datagrams.stop();
            drop(reuse);
            remove_leftovers(services)
        })
        .await
    }
}

/// Takes out of the kernel what a proxy that was killed has left there: where its table still
/// is, the setting for ports, too. Not for a proxy that stops, which knows what it has set.
///
/// # Errors
/// What the kernel refuses.
pub fn clean_up(service_cidr: Ipv4Net) -> Result<(), NetlinkError> {
    if nft::is_there()? {
        ports::take_back();
    }
    remove_leftovers(service_cidr)
}

/// Takes everything out of the kernel that a proxy puts there, also one that was killed:
/// the table, the rule and the routes. What is not there is no error.
///
/// # Errors
/// What the kernel refuses.
fn remove_leftovers(service_cidr: Ipv4Net) -> Result<(), NetlinkError> {
    nft::remove().and(routing::remove(service_cidr))
}

async fn blocking(
    work: impl FnOnce() -> Result<(), NetlinkError> + Send + 'static,
) -> Result<(), EngineError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// Both sockets on one port, so that one rule serves both.
fn listen() -> io::Result<(Listeners, OwnedFd)> {
    let mut failure = io::Error::other("no port was tried");
    for _ in 0..PORT_TRIES {
        let listeners = Listeners::open()?;
        match udp::listen(listeners.address) {
            Ok(datagrams) => return Ok((listeners, datagrams)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests;
