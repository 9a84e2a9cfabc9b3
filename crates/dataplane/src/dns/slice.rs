//! What DNS needs of an EndpointSlice.

use std::net::IpAddr;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use super::service::DnsPort;

/// An EndpointSlice, as far as names go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSlice {
    /// The Service's name.
    pub(super) service: Box<str>,
    pub(super) ports: Box<[DnsPort]>,
    pub(super) endpoints: Box<[DnsEndpoint]>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DnsEndpoint {
    pub(super) addresses: Box<[IpAddr]>,
    /// In lower case; `None` where its address is its name.
    pub(super) hostname: Option<Box<str>>,
    pub(super) ready: bool,
}

impl DnsSlice {
    /// Reads a slice; `None` for one that belongs to no Service or holds no addresses.
    #[must_use]
    pub fn of(slice: &Object) -> Option<Self> {
        let service = slice.text(&["metadata", "labels", SERVICE_NAME]);
        if service.is_empty() || slice.text(&["addressType"]) == "FQDN" {
            return None;
        }
        let list = |key| slice.get(&[key]).and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            service: service.into(),
            ports: list("ports").filter_map(DnsPort::of).collect(),
            endpoints: list("endpoints").map(DnsEndpoint::of).collect(),
        })
    }
}

impl DnsEndpoint {
    fn of(endpoint: &Value) -> Self {
        let addresses = endpoint.get("addresses").and_then(Value::as_array).into_iter().flatten();
        let addresses = addresses.filter_map(|address| address.as_str()?.parse().ok()).collect();
        let hostname = endpoint.get("hostname").and_then(Value::as_str).filter(|name| !name.is_empty());
        let ready = endpoint.pointer("/conditions/ready").and_then(Value::as_bool);
        Self {
            addresses,
            hostname: hostname.map(|name| name.to_ascii_lowercase().into()),
            // Unknown counts as ready, as the API has it.
            ready: ready.unwrap_or(true),
        }
    }
}
