//! All records below one Service's name, compiled from the Service and its slices.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::name::Name;
use super::reverse::to_dashed;
use super::service::DnsService;
use super::slice::{DnsEndpoint, DnsSlice};

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `_tcp`
    Tcp,
    /// `_udp`
    Udp,
    /// `_sctp`
    Sctp,
}

impl Protocol {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }

    /// From a label such as `_tcp`.
    pub(super) fn of_label(label: &[u8]) -> Option<Self> {
        match label {
            b"_tcp" => Some(Self::Tcp),
            b"_udp" => Some(Self::Udp),
            b"_sctp" => Some(Self::Sctp),
            _ => None,
        }
    }
}

/// Addresses of both families, each sorted and once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// For A.
    pub v4: Box<[Ipv4Addr]>,
    /// For AAAA.
    pub v6: Box<[Ipv6Addr]>,
}

impl Addresses {
    pub(super) fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
        for address in addresses {
            match address {
                IpAddr::V4(address) => drop(v4.insert(address)),
                IpAddr::V6(address) => drop(v6.insert(address)),
            }
        }
        Self { v4: v4.into_iter().collect(), v6: v6.into_iter().collect() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v6 = self.v6.iter().map(|address| IpAddr::V6(*address));
        self.v4.iter().map(|address| IpAddr::V4(*address)).chain(v6)
    }
}

/// The records below one Service's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceRecords {
    /// Addresses and ports.
    Here {
        /// Of the Service's own name.
        addresses: Addresses,
        /// Of a headless Service's endpoints, by label; sorted.
        hosts: Box<[Host]>,
        /// Sorted by name and protocol.
        ports: Box<[Srv]>,
    },
    /// The Service's name is an alias.
    Alias(Name),
}

/// An endpoint with a name below its Service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// One label.
    pub(super) label: Box<[u8]>,
    pub(super) addresses: Addresses,
}

/// A named port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    pub(super) name: Box<str>,
    pub(super) protocol: Protocol,
    pub(super) targets: Box<[Target]>,
}

/// Where one SRV record leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Which of the hosts; `None` for the Service itself.
    pub(super) host: Option<u32>,
    /// The port there.
    pub port: u16,
}

impl ServiceRecords {
    /// Compiles; `None` where there is nothing to tell: such a name does not exist.
    pub(super) fn compile(service: &DnsService, slices: &[(Box<str>, Arc<DnsSlice>)]) -> Option<Self> {
        match service {
            DnsService::Nameless => None,
            DnsService::External(name) => Some(Self::Alias(name.clone())),
            DnsService::Cluster { addresses, ports } => {
                let mut ports: Vec<Srv> = ports
                    .iter()
                    .map(|port| Srv {
                        name: port.name.clone(),
                        protocol: port.protocol,
                        targets: [Target { host: None, port: port.number }].into(),
                    })
                    .collect();
                ports.sort_by(|a, b| a.key().cmp(&b.key()));
                let addresses = Addresses::of(addresses.iter().copied());
                Some(Self::Here { addresses, hosts: Box::default(), ports: ports.into() })
            }
            DnsService::Headless { publish_not_ready } => headless(slices, *publish_not_ready),
        }
    }

    /// The host with a label.
    pub(super) fn host(&self, label: &[u8]) -> Option<&Host> {
        let Self::Here { hosts, .. } = self else { return None };
        let index = hosts.binary_search_by(|host| (*host.label).cmp(label)).ok()?;
        hosts.get(index)
    }

    /// The port that `_name._protocol` asks for.
    pub(super) fn port(&self, name: &[u8], protocol: Protocol) -> Option<&Srv> {
        let Self::Here { ports, .. } = self else { return None };
        let name = name.strip_prefix(b"_")?;
        ports.iter().find(|port| port.name.as_bytes() == name && port.protocol == protocol)
    }

    /// Whether any port speaks this: then `_protocol` exists, as a name without records.
    pub(super) fn speaks(&self, protocol: Protocol) -> bool {
        matches!(self, Self::Here { ports, .. } if ports.iter().any(|port| port.protocol == protocol))
    }

    /// The label and the addresses of a target.
    #[must_use]
    pub fn target(&self, target: Target) -> Option<(Option<&[u8]>, &Addresses)> {
        let Self::Here { addresses, hosts, .. } = self else { return None };
        let Some(index) = target.host else { return Some((None, addresses)) };
        let host = hosts.get(usize::try_from(index).ok()?)?;
        Some((Some(&host.label), &host.addresses))
    }

    /// Every address that has a PTR record, and the label below the Service's name, if any.
    pub(super) fn pointers(&self) -> Vec<(IpAddr, Option<&[u8]>)> {
        let Self::Here { addresses, hosts, .. } = self else { return Vec::new() };
        if hosts.is_empty() {
            return addresses.iter().map(|address| (address, None)).collect();
        }
        let of_host = |host: &Host| host.addresses.iter().collect::<Vec<_>>();
        let all = hosts.iter().flat_map(|host| of_host(host).into_iter().map(move |it| (it, host)));
        all.map(|(address, host)| (address, Some(&*host.label))).collect()
    }
}

impl Srv {
    fn key(&self) -> (&str, Protocol) {
        (&self.name, self.protocol)
    }

    /// Where its records lead.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }
}

/// The endpoints that are told of; without any the name does not exist.
fn headless(slices: &[(Box<str>, Arc<DnsSlice>)], publish_not_ready: bool) -> Option<ServiceRecords> {
    let shown = |endpoint: &&DnsEndpoint| endpoint.ready || publish_not_ready;
    let mut by_label: BTreeMap<Box<[u8]>, Vec<IpAddr>> = BTreeMap::new();
    for endpoint in slices.iter().flat_map(|(_, slice)| &slice.endpoints).filter(shown) {
        for (label, address) in named(endpoint) {
            by_label.entry(label).or_default().push(address);
        }
    }
    let places: BTreeMap<&[u8], u32> = by_label.keys().map(|label| &**label).zip(0..).collect();
    let mut ports: BTreeMap<(&str, Protocol), BTreeSet<Target>> = BTreeMap::new();
    for (_, slice) in slices {
        for port in &slice.ports {
            let targets = ports.entry((&*port.name, port.protocol)).or_default();
            for (label, _) in slice.endpoints.iter().filter(shown).flat_map(named) {
                targets.insert(Target { host: places.get(&*label).copied(), port: port.number });
            }
        }
    }
    let ports = ports.into_iter().filter(|(_, targets)| !targets.is_empty());
    let ports = ports.map(|((name, protocol), targets)| Srv {
        name: name.into(),
        protocol,
        targets: targets.into_iter().collect(),
    });
    let ports = ports.collect();
    let addresses = Addresses::of(by_label.values().flatten().copied());
    let hosts = by_label.into_iter().map(|(label, all)| Host { label, addresses: Addresses::of(all) });
    let hosts: Box<[Host]> = hosts.collect();
    (!hosts.is_empty()).then_some(ServiceRecords::Here { addresses, hosts, ports })
}

/// The label of each of an endpoint's addresses: its hostname, or else the address.
fn named(endpoint: &DnsEndpoint) -> impl Iterator<Item = (Box<[u8]>, IpAddr)> + '_ {
    endpoint.addresses.iter().map(|address| {
        let label = endpoint.hostname.as_deref().map_or_else(|| to_dashed(*address), str::to_owned);
        (label.into_bytes().into(), *address)
    })
}
