//! What DNS needs of a Service, in a fraction of its size.

use std::net::IpAddr;

use serde_json::Value;
use xebec_api::object::Object;

use super::name::Name;
use super::records::Protocol;

/// A Service, as far as names go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsService {
    /// It has addresses of its own.
    Cluster {
        /// All of them.
        addresses: Box<[IpAddr]>,
        /// Its named ports.
        ports: Box<[DnsPort]>,
    },
    /// Its name stands for its endpoints.
    Headless {
        /// Those that are not ready, too.
        publish_not_ready: bool,
    },
    /// Its name is another one's alias.
    External(Name),
    /// It has no name yet, or none that a message could carry.
    Nameless,
}

/// A named port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsPort {
    /// In lower case.
    pub(super) name: Box<str>,
    pub(super) protocol: Protocol,
    pub(super) number: u16,
}

impl DnsService {
    /// Reads a Service. Never fails: what makes no record is left out.
    #[must_use]
    pub fn of(service: &Object) -> Self {
        if service.text(&["spec", "type"]) == "ExternalName" {
            let target = Name::parse(service.text(&["spec", "externalName"]));
            return target.filter(|name| name.wire().len() > 1).map_or(Self::Nameless, Self::External);
        }
        let own = service.text(&["spec", "clusterIP"]);
        if own == "None" {
            let path = ["spec", "publishNotReadyAddresses"];
            return Self::Headless { publish_not_ready: service.get(&path) == Some(&Value::Bool(true)) };
        }
        let listed = service.get(&["spec", "clusterIPs"]).and_then(Value::as_array).into_iter().flatten();
        let mut addresses: Vec<IpAddr> = std::iter::once(own)
            .chain(listed.filter_map(Value::as_str))
            .filter_map(|text| text.parse().ok())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Self::Nameless;
        }
        let ports = service.get(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
        Self::Cluster { addresses: addresses.into(), ports: ports.filter_map(DnsPort::of).collect() }
    }
}

impl DnsPort {
    /// A port without a name, or one that no client can ask for, makes no record.
    pub(super) fn of(port: &Value) -> Option<Self> {
        let text = |key| port.get(key).and_then(Value::as_str);
        let name = text("name").filter(|name| !name.is_empty())?.to_ascii_lowercase();
        let protocol = Protocol::parse(text("protocol").unwrap_or("TCP"))?;
        let number = port.get("port")?.as_u64().and_then(|number| u16::try_from(number).ok())?;
        (number > 0).then(|| Self { name: name.into(), protocol, number })
    }
}
