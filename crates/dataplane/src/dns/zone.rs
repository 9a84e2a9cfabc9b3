//! The cluster's zone while it changes: takes Services, slices and namespaces in, and
//! compiles what changed, and only that, when the next table is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::Ipv4Net;

use super::name::{Name, push_label};
use super::records::ServiceRecords;
use super::reverse::ReverseZone;
use super::service::DnsService;
use super::slice::DnsSlice;
use super::table::Table;

/// What a zone is made of that never changes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Such as `cluster.local`.
    pub domain: Name,
    /// The name of the servers, such as `kube-dns.kube-system.svc.cluster.local`.
    pub server: Name,
    /// The networks of Services and pods: unknown addresses in them have no name anywhere.
    pub networks: Vec<Ipv4Net>,
}

/// The labels `service.namespace`, in wire form.
type Key = Box<[u8]>;

/// What is known about one Service.
#[derive(Debug, Default)]
struct Sources {
    service: Option<Arc<DnsService>>,
    /// By the slice's name; few, and looked through.
    slices: Vec<(Box<str>, Arc<DnsSlice>)>,
}

/// See the module.
#[derive(Debug)]
pub struct Zone {
    table: Table,
    sources: BTreeMap<Key, Sources>,
    /// Which Service a slice was told of for, by its namespace and name.
    owners: BTreeMap<Box<str>, Key>,
    changed: BTreeSet<Key>,
}

impl Zone {
    /// An empty one.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { domain, server, networks } = settings;
        let table = Table {
            zone: domain,
            server,
            reverse_zones: networks.into_iter().map(ReverseZone::of).collect(),
            services: imbl::HashMap::default(),
            namespaces: imbl::HashSet::default(),
            pointers: imbl::HashMap::default(),
            serial: 0,
        };
        Self { table, sources: BTreeMap::new(), owners: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// A Service as it is now; `None` when it is gone. What no name can be made of is
    /// passed over, here and below.
    pub fn set_service(&mut self, namespace: &str, name: &str, service: Option<Arc<DnsService>>) {
        let Some(key) = key(namespace, name) else { return };
        if service.is_some() || self.sources.contains_key(&key) {
            self.sources.entry(key.clone()).or_default().service = service;
            self.changed.insert(key);
        }
    }

    /// An EndpointSlice as it is now; `None` when it is gone or belongs to no Service.
    pub fn set_slice(&mut self, namespace: &str, name: &str, slice: Option<Arc<DnsSlice>>) {
        let own: Box<str> = format!("{namespace}/{name}").into();
        let key = slice.as_ref().and_then(|slice| key(namespace, &slice.service));
        if let Some(before) = self.owners.remove(&own)
            && let Some(sources) = self.sources.get_mut(&before)
        {
            sources.slices.retain(|(other, _)| **other != *name);
            self.changed.insert(before);
        }
        if let (Some(slice), Some(key)) = (slice, key) {
            self.sources.entry(key.clone()).or_default().slices.push((name.into(), slice));
            self.changed.insert(key.clone());
            self.owners.insert(own, key);
        }
    }

    /// Whether a namespace is there.
    pub fn set_namespace(&mut self, name: &str, there: bool) {
        let mut label = Vec::new();
        if push_label(&mut label, name.as_bytes()).is_none() {
            return;
        }
        if there {
            self.table.namespaces.insert(label.into());
        } else {
            self.table.namespaces.remove(&label[..]);
        }
    }

    /// The table with everything that was told; `serial` says which state it is, and is
    /// for SOA only.
    pub fn publish(&mut self, serial: u32) -> Table {
        for key in std::mem::take(&mut self.changed) {
            self.compile(&key);
        }
        self.table.serial = serial;
        self.table.clone()
    }

    fn compile(&mut self, key: &Key) {
        let sources = self.sources.get(key);
        let records = sources.and_then(|sources| {
            ServiceRecords::compile(sources.service.as_deref()?, &sources.slices).map(Arc::new)
        });
        if sources.is_some_and(|sources| sources.service.is_none() && sources.slices.is_empty()) {
            self.sources.remove(key);
        }
        let before = self.table.services.get(key).cloned();
        if before == records {
            return;
        }
        // A Service's names are too long for a message only if its key nearly is.
        if let Some(name) = self.name(key) {
            let old: BTreeSet<IpAddr> = addresses(before.as_deref());
            old.iter().for_each(|address| self.forget_pointer(*address, &name));
            for (address, label) in records.iter().flat_map(|records| records.pointers()) {
                self.add_pointer(address, label, &name);
            }
        }
        match records {
            Some(records) => drop(self.table.services.insert(key.clone(), records)),
            None => drop(self.table.services.remove(key)),
        }
    }

    /// A Service's whole name.
    fn name(&self, key: &Key) -> Option<Name> {
        let below = [key, &b"\x03svc"[..]].concat();
        self.table.zone.below(&below)
    }

    fn add_pointer(&mut self, address: IpAddr, label: Option<&[u8]>, service: &Name) {
        let mut below = Vec::new();
        let label = label.map_or(Some(()), |label| push_label(&mut below, label));
        let Some(name) = label.and_then(|()| service.below(&below)) else { return };
        let known = self.table.pointers.get(&address).map(|names| &**names).unwrap_or_default();
        let mut names: BTreeSet<Name> = known.iter().cloned().collect();
        names.insert(name);
        self.table.pointers.insert(address, names.into_iter().collect());
    }

    /// Takes away the names that an address has by one Service.
    fn forget_pointer(&mut self, address: IpAddr, service: &Name) {
        let Some(names) = self.table.pointers.get(&address) else { return };
        let of_it = |name: &&Name| !is_of(name, service);
        let left: Arc<[Name]> = names.iter().filter(of_it).cloned().collect();
        if left.is_empty() {
            self.table.pointers.remove(&address);
        } else {
            self.table.pointers.insert(address, left);
        }
    }
}

/// Whether a name is a Service's, or one label below it.
fn is_of(name: &Name, service: &Name) -> bool {
    let first = name.wire().first().map_or(0, |length| usize::from(*length));
    name == service || name.wire().get(1 + first..) == Some(service.wire())
}

fn addresses(records: Option<&ServiceRecords>) -> BTreeSet<IpAddr> {
    let pointers = records.map(ServiceRecords::pointers).unwrap_or_default();
    pointers.into_iter().map(|(address, _)| address).collect()
}

fn key(namespace: &str, name: &str) -> Option<Key> {
    let mut key = Vec::with_capacity(namespace.len() + name.len() + 2);
    push_label(&mut key, name.as_bytes())?;
    push_label(&mut key, namespace.as_bytes())?;
    Some(key.into())
}
