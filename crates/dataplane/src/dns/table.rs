//! The records of the whole cluster, and the answer to a question. A clone costs nothing
//! and is not changed by what happens to the original.

use std::net::IpAddr;
use std::sync::Arc;

use imbl::{HashMap, HashSet};

use super::name::{Labels, Name};
use super::records::{Addresses, Protocol, ServiceRecords, Srv};
use super::reverse::{self, ReverseZone};

/// What `dns-version` says.
pub const SCHEMA_VERSION: &str = "1.1.0";

/// What is asked for; kinds of records that the cluster has none of are all alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Ports.
    Srv,
    /// Names of addresses.
    Ptr,
    /// Text.
    Txt,
    /// A zone's head.
    Soa,
    /// A zone's servers.
    Ns,
    /// Aliases themselves.
    Cname,
    /// Anything.
    Any,
    /// Anything else.
    Other,
}

impl RecordType {
    /// By its number (IANA, DNS parameters).
    #[must_use]
    pub fn of(number: u16) -> Self {
        match number {
            1 => Self::A,
            2 => Self::Ns,
            5 => Self::Cname,
            6 => Self::Soa,
            12 => Self::Ptr,
            16 => Self::Txt,
            28 => Self::Aaaa,
            33 => Self::Srv,
            255 => Self::Any,
            _ => Self::Other,
        }
    }
}

/// Which of a name's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A.
    V4,
    /// AAAA.
    V6,
    /// Both.
    Any,
}

/// What a question finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The name is in none of the cluster's zones.
    Elsewhere,
    /// These.
    Found(Records<'a>),
    /// Whatever was asked for, it is under this name.
    Alias(&'a Name),
    /// The name exists, in this zone, and has nothing of the kind.
    NoData(&'a Name),
    /// The name does not exist in this zone.
    NoName(&'a Name),
}

/// Records of one name and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records<'a> {
    /// Addresses of a Service or an endpoint.
    Addresses(&'a Addresses, Family),
    /// The address that a pod's name says.
    Address(IpAddr),
    /// A named port.
    Srv {
        /// Whose it is.
        service: &'a ServiceRecords,
        /// Where it leads.
        port: &'a Srv,
        /// Where in the question's name the Service's begins.
        service_at: usize,
    },
    /// Names of an address.
    Names(&'a [Name]),
    /// The version of the schema.
    Version,
    /// The head of this zone.
    Soa(&'a Name),
    /// The server of a zone.
    Ns,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) zone: Name,
    /// The name under which the cluster's DNS servers are found.
    pub(super) server: Name,
    pub(super) reverse_zones: Arc<[ReverseZone]>,
    /// By the labels `service.namespace`, in wire form.
    pub(super) services: HashMap<Box<[u8]>, Arc<ServiceRecords>>,
    /// By label, in wire form.
    pub(super) namespaces: HashSet<Box<[u8]>>,
    pub(super) pointers: HashMap<IpAddr, Arc<[Name]>>,
    pub(super) serial: u32,
}

impl Table {
    /// What `name` has of `kind`. The name is whole, in lower case and in wire form.
    #[must_use]
    pub fn lookup(&self, name: &[u8], kind: RecordType) -> Lookup<'_> {
        let labels = Labels::of(name);
        if let Some(before) = labels.before(&self.zone) {
            return self.forward(&labels, before, kind);
        }
        if labels.count() >= 2 && labels.get(labels.count() - 1) == b"arpa" {
            return self.reverse(&labels, kind);
        }
        Lookup::Elsewhere
    }

    /// The number of this state, for SOA.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The name of the zones' server.
    #[must_use]
    pub fn server(&self) -> &Name {
        &self.server
    }

    /// A name in the cluster's domain, which `before` labels stand before.
    fn forward(&self, labels: &Labels<'_>, before: usize, kind: RecordType) -> Lookup<'_> {
        let Some(last) = before.checked_sub(1) else { return self.apex(&self.zone, kind) };
        match (labels.get(last), before) {
            (b"dns-version", 1) => match kind {
                RecordType::Txt | RecordType::Any => Lookup::Found(Records::Version),
                _ => Lookup::NoData(&self.zone),
            },
            (b"svc" | b"pod", 1) => Lookup::NoData(&self.zone),
            (b"svc" | b"pod", 2) if self.has_namespace(labels, last) => Lookup::NoData(&self.zone),
            (b"pod", 3) if self.has_namespace(labels, last) => self.pod(labels.get(0), kind),
            (b"svc", 3..=5) => self.service(labels, before, kind),
            _ => Lookup::NoName(&self.zone),
        }
    }

    fn apex<'a>(&'a self, zone: &'a Name, kind: RecordType) -> Lookup<'a> {
        match kind {
            RecordType::Soa | RecordType::Any => Lookup::Found(Records::Soa(zone)),
            RecordType::Ns => Lookup::Found(Records::Ns),
            _ => Lookup::NoData(zone),
        }
    }

    fn has_namespace(&self, labels: &Labels<'_>, last: usize) -> bool {
        self.namespaces.contains(labels.range(last - 1, last))
    }

    /// As the specification has it, every address is taken for a pod's.
    fn pod(&self, label: &[u8], kind: RecordType) -> Lookup<'_> {
        match (reverse::dashed(label), kind) {
            (None, _) => Lookup::NoName(&self.zone),
            (Some(address @ IpAddr::V4(_)), RecordType::A | RecordType::Any)
            | (Some(address @ IpAddr::V6(_)), RecordType::Aaaa | RecordType::Any) => {
                Lookup::Found(Records::Address(address))
            }
            (Some(_), _) => Lookup::NoData(&self.zone),
        }
    }

    fn service(&self, labels: &Labels<'_>, before: usize, kind: RecordType) -> Lookup<'_> {
        let at = before - 3;
        let Some(service) = self.services.get(labels.range(at, at + 2)) else {
            return Lookup::NoName(&self.zone);
        };
        match (&**service, at) {
            (ServiceRecords::Alias(name), 0) => Lookup::Alias(name),
            (ServiceRecords::Here { addresses, .. }, 0) => self.addresses(addresses, kind),
            (_, 1) => match service.host(labels.get(0)) {
                Some(host) => self.addresses(&host.addresses, kind),
                None if Protocol::of_label(labels.get(0)).is_some_and(|it| service.speaks(it)) => {
                    Lookup::NoData(&self.zone)
                }
                None => Lookup::NoName(&self.zone),
            },
            _ => {
                let protocol = Protocol::of_label(labels.get(1));
                let port = protocol.and_then(|protocol| service.port(labels.get(0), protocol));
                match (port, kind) {
                    (None, _) => Lookup::NoName(&self.zone),
                    (Some(port), RecordType::Srv | RecordType::Any) => {
                        Lookup::Found(Records::Srv { service, port, service_at: labels.start(at) })
                    }
                    (Some(_), _) => Lookup::NoData(&self.zone),
                }
            }
        }
    }

    fn addresses<'a>(&'a self, addresses: &'a Addresses, kind: RecordType) -> Lookup<'a> {
        let (family, any) = match kind {
            RecordType::A => (Family::V4, !addresses.v4.is_empty()),
            RecordType::Aaaa => (Family::V6, !addresses.v6.is_empty()),
            RecordType::Any => (Family::Any, true),
            _ => return Lookup::NoData(&self.zone),
        };
        if any { Lookup::Found(Records::Addresses(addresses, family)) } else { Lookup::NoData(&self.zone) }
    }

    /// A name that stands for an address. Those of others are not ours to deny.
    fn reverse(&self, labels: &Labels<'_>, kind: RecordType) -> Lookup<'_> {
        let address = reverse::address(labels);
        let names = address.and_then(|address| self.pointers.get(&address));
        let zone = || {
            let ours = |own: &&ReverseZone| match address {
                Some(address) => own.contains(address),
                None => labels.before(&own.name).is_some(),
            };
            self.reverse_zones.iter().find(ours).map(|own| &own.name)
        };
        match (names, kind) {
            (Some(names), RecordType::Ptr | RecordType::Any) => Lookup::Found(Records::Names(names)),
            _ => match zone() {
                None => Lookup::Elsewhere,
                Some(zone) if labels.before(zone) == Some(0) => self.apex(zone, kind),
                Some(zone) if names.is_some() || address.is_none() => Lookup::NoData(zone),
                Some(zone) => Lookup::NoName(zone),
            },
        }
    }
}
