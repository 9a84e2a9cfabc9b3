//! What the proxy knows when a connection arrives: which endpoints stand behind an
//! address. A new table takes over what the old one knew of endpoints that stay.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use xebec_dataplane::{Endpoint, ServicePort};

use crate::nft::Elements;

/// An endpoint, shared by every route to it.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    connections: AtomicU32,
    suspect_until_ms: AtomicU64,
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, connections: AtomicU32::new(0), suspect_until_ms: AtomicU64::new(0) }
    }

    /// Connections that stand now.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn count(self: Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    /// A connect failed: others are tried first until then.
    pub(crate) fn suspect(&self, until_ms: u64) {
        self.suspect_until_ms.store(until_ms, Ordering::Relaxed);
    }

    pub(crate) fn is_suspect(&self, now_ms: u64) -> bool {
        self.suspect_until_ms.load(Ordering::Relaxed) > now_ms
    }
}

/// One connection to a backend.
pub(crate) struct Counted(Arc<Backend>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What stands behind one port of a Service.
#[derive(Debug)]
pub(crate) struct Route {
    /// One client always meets the same endpoint.
    pub(crate) sticky: bool,
    pub(crate) backends: Vec<Arc<Backend>>,
}

/// Every route.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    addresses: HashMap<SocketAddrV4, Arc<Route>>,
    node_ports: HashMap<u16, Arc<Route>>,
}

impl Routes {
    /// A table of these ports. One without endpoints has no route, so that the kernel
    /// refuses its connections.
    pub(crate) fn build(previous: &Self, ports: &[ServicePort]) -> Self {
        let mut known: HashMap<Endpoint, Arc<Backend>> = HashMap::new();
        for backend in previous.routes().flat_map(|route| &route.backends) {
            known.insert(backend.endpoint, Arc::clone(backend));
        }
        let mut route = |port: &ServicePort, endpoints: &[Endpoint]| {
            let backends = endpoints.iter().map(|endpoint| {
                let backend = known.entry(*endpoint);
                Arc::clone(backend.or_insert_with(|| Arc::new(Backend::new(*endpoint))))
            });
            let backends: Vec<Arc<Backend>> = backends.collect();
            (!backends.is_empty()).then(|| Arc::new(Route { sticky: port.sticky, backends }))
        };
        let mut routes = Self::default();
        for port in ports {
            if let Some(route) = route(port, &port.endpoints) {
                let addresses = port.addresses.iter().map(|address| (*address, Arc::clone(&route)));
                routes.addresses.extend(addresses);
            }
            if let Some(number) = port.node_port
                && let Some(route) = route(port, &port.node_port_endpoints)
            {
                routes.node_ports.insert(number, route);
            }
        }
        routes
    }

    fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.addresses.values().chain(self.node_ports.values())
    }

    /// The route of a connection, by the address that its client meant.
    pub(crate) fn find(&self, destination: SocketAddrV4) -> Option<Arc<Route>> {
        let found = self.addresses.get(&destination);
        found.or_else(|| self.node_ports.get(&destination.port())).cloned()
    }

    /// What the kernel has to redirect.
    pub(crate) fn elements(&self) -> Elements {
        Elements {
            services: self.addresses.keys().copied().collect(),
            node_ports: self.node_ports.keys().copied().collect(),
        }
    }
}

/// The order in which to try a route's endpoints for a client: of two drawn at random the
/// one with fewer connections, then the others; or always the same order for one client.
/// Endpoints that failed lately come last.
pub(crate) fn order(
    route: &Route,
    client: Ipv4Addr,
    now_ms: u64,
    draw: &mut impl FnMut(usize) -> usize,
) -> Vec<Arc<Backend>> {
    let mut backends = route.backends.clone();
    if route.sticky {
        backends.sort_by_cached_key(|backend| affinity(client, backend.endpoint.address));
    } else {
        for last in (1..backends.len()).rev() {
            backends.swap(last, draw(last + 1));
        }
        if backends.len() > 1 && backends[1].connections() < backends[0].connections() {
            backends.swap(0, 1);
        }
    }
    backends.sort_by_key(|backend| backend.is_suspect(now_ms));
    backends
}

/// Rendezvous hashing: each client ranks the endpoints in its own way, and the loss of one
/// moves only the clients that it had.
fn affinity(client: Ipv4Addr, backend: SocketAddrV4) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let port = backend.port().to_be_bytes();
    for byte in client.octets().into_iter().chain(backend.ip().octets()).chain(port) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 32)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

#[cfg(test)]
mod tests;
