//! What the proxy knows when a client arrives: which endpoints stand behind an address. A
//! new table takes over what the old one knew of endpoints that stay, and ends what stands
//! to those that are gone.

mod backend;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv4Net;
use xebec_dataplane::{Endpoint, Protocol, ServicePort};

pub(crate) use backend::{Backend, Counted};

use crate::nft::Elements;

/// What stands behind one port of a Service.
#[derive(Debug)]
pub(crate) struct Route {
    /// The port's name, under which clients are remembered.
    pub(crate) name: Arc<str>,
    /// One client meets the same endpoint until it has stayed away for so long.
    pub(crate) affinity: Option<Duration>,
    pub(crate) backends: Vec<Arc<Backend>>,
}

/// Where somebody comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) address: Ipv4Addr,
    /// A pod, or this node itself.
    pub(crate) inside: bool,
}

/// What stands behind an address.
#[derive(Debug)]
enum Way {
    /// A ClusterIP: the same for everybody.
    Cluster(Arc<Route>),
    /// An address that is known outside of the cluster.
    External(Arc<External>),
}

#[derive(Debug)]
struct External {
    inside: Option<Arc<Route>>,
    outside: Option<Arc<Route>>,
    /// Who may come; everybody when it is empty.
    sources: Vec<Ipv4Net>,
}

impl External {
    fn find(&self, origin: Origin) -> Option<&Arc<Route>> {
        let lets_in =
            self.sources.is_empty() || self.sources.iter().any(|network| network.contains(&origin.address));
        let route = if origin.inside { &self.inside } else { &self.outside };
        route.as_ref().filter(|_| lets_in)
    }
}

type Backends = HashMap<Endpoint, Arc<Backend>>;

/// Every route.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    addresses: HashMap<(Protocol, SocketAddrV4), Way>,
    node_ports: HashMap<(Protocol, u16), Arc<Route>>,
    /// Every endpoint that is there, also those that get nothing new.
    backends: Backends,
    /// The endpoints of each port, by its name.
    of_port: HashMap<Arc<str>, Vec<Endpoint>>,
}

impl Routes {
    /// A table of these ports. One without endpoints has no route, so that the kernel
    /// refuses its clients.
    pub(crate) fn build(previous: &Self, ports: &[ServicePort]) -> Self {
        let mut routes = Self::default();
        for port in ports {
            let name: Arc<str> = port.name.as_str().into();
            let all = port.endpoints.iter().chain(&port.node_port_endpoints);
            let all = all.chain(&port.inside_endpoints).chain(&port.retired);
            let all: Vec<Endpoint> = all.copied().collect();
            for endpoint in &all {
                let entry = routes.backends.entry(*endpoint);
                entry.or_insert_with(|| previous.backend(*endpoint));
            }
            routes.of_port.insert(Arc::clone(&name), all);
            routes.add(port, &name);
        }
        routes
    }

    /// The same one as before, so that it is still known how many connections it has.
    fn backend(&self, endpoint: Endpoint) -> Arc<Backend> {
        self.backends.get(&endpoint).cloned().unwrap_or_else(|| Arc::new(Backend::new(endpoint)))
    }

    fn add(&mut self, port: &ServicePort, name: &Arc<str>) {
        let backends = &self.backends;
        let route = |endpoints: &[Endpoint]| {
            let backends = endpoints.iter().filter_map(|endpoint| backends.get(endpoint).cloned()).collect();
            let route = Route { name: Arc::clone(name), affinity: port.affinity, backends };
            (!endpoints.is_empty()).then(|| Arc::new(route))
        };
        if let Some(route) = route(&port.endpoints) {
            let addresses = port.addresses.iter().map(|address| (port.protocol, *address));
            self.addresses.extend(addresses.map(|address| (address, Way::Cluster(Arc::clone(&route)))));
        }
        let (inside, outside) = (route(&port.inside_endpoints), route(&port.node_port_endpoints));
        if inside.is_some() || outside.is_some() {
            let external = |sources: &[Ipv4Net]| {
                let (inside, outside) = (inside.clone(), outside.clone());
                Arc::new(External { inside, outside, sources: sources.to_vec() })
            };
            let (any, some) = (external(&[]), external(&port.source_ranges));
            for (addresses, way) in [(&port.external_addresses, any), (&port.balanced_addresses, some)] {
                let addresses = addresses.iter().map(|address| (port.protocol, *address));
                self.addresses.extend(addresses.map(|address| (address, Way::External(Arc::clone(&way)))));
            }
        }
        if let (Some(number), Some(route)) = (port.node_port, outside) {
            self.node_ports.insert((port.protocol, number), route);
        }
    }

    /// Ends what stands to endpoints whose address no slice of their Service names any
    /// more: their pod is gone, and nobody may be left to tell the clients. Connections of
    /// a Service that is gone itself are left to their ends.
    pub(crate) fn end_what_is_gone(&self, next: &Self) {
        let present: HashSet<Ipv4Addr> =
            next.backends.keys().map(|endpoint| *endpoint.address.ip()).collect();
        let ports = self.of_port.iter().filter(|(name, _)| next.of_port.contains_key(*name));
        for endpoint in ports.flat_map(|(_, endpoints)| endpoints) {
            if !present.contains(endpoint.address.ip())
                && let Some(backend) = self.backends.get(endpoint)
            {
                backend.end();
            }
        }
    }

    /// The route of a client, by the address that it meant.
    pub(crate) fn find(
        &self,
        protocol: Protocol,
        destination: SocketAddrV4,
        origin: Origin,
    ) -> Option<&Arc<Route>> {
        match self.addresses.get(&(protocol, destination)) {
            Some(Way::Cluster(route)) => Some(route),
            Some(Way::External(external)) => external.find(origin),
            None => self.node_ports.get(&(protocol, destination.port())),
        }
    }

    /// Whether anybody has a route by this address.
    pub(crate) fn serves(&self, protocol: Protocol, destination: SocketAddrV4) -> bool {
        self.addresses.contains_key(&(protocol, destination))
            || self.node_ports.contains_key(&(protocol, destination.port()))
    }

    /// What the kernel has to redirect.
    pub(crate) fn elements(&self) -> Elements {
        Elements {
            services: self.addresses.keys().copied().collect(),
            node_ports: self.node_ports.keys().copied().collect(),
        }
    }
}

impl Route {
    /// An endpoint for a client: the one that is `held` for it, else of two drawn at random
    /// the one with fewer connections. Never one that was `tried`; one that failed lately
    /// only when there is no other.
    pub(crate) fn pick(
        &self,
        held: Option<SocketAddrV4>,
        tried: &[SocketAddrV4],
        now_ms: u64,
        draw: &mut impl FnMut(usize) -> usize,
    ) -> Option<&Arc<Backend>> {
        let fresh = |backend: &&Arc<Backend>| !tried.contains(&backend.endpoint.address);
        let good = |backend: &&Arc<Backend>| fresh(backend) && !backend.is_suspect(now_ms);
        let is_held = |backend: &&Arc<Backend>| Some(backend.endpoint.address) == held;
        if held.is_some()
            && let Some(backend) = self.backends.iter().filter(good).find(is_held)
        {
            return Some(backend);
        }
        let count = self.backends.len();
        if count == 0 {
            return None;
        }
        let [one, other] = [draw(count), draw(count)].map(|index| &self.backends[index]);
        match (good(&one), good(&other)) {
            (true, true) if other.connections() < one.connections() => Some(other),
            (true, _) => Some(one),
            (false, true) => Some(other),
            (false, false) => {
                let (before, after) = self.backends.split_at(draw(count));
                let around = || after.iter().chain(before);
                around().find(good).or_else(|| around().find(fresh))
            }
        }
    }

    /// Whether new clients may still be given this endpoint.
    pub(crate) fn has(&self, endpoint: Endpoint) -> bool {
        self.backends.iter().any(|backend| backend.endpoint == endpoint)
    }
}

#[cfg(test)]
mod tests;
