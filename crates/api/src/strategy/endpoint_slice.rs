//! EndpointSlices.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::defaults::{each, fill};
use crate::address::non_special;
use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};
use crate::well_known::SERVICE_NAME;

const MAX_ENDPOINTS: usize = 1000;
/// So many a cell shows before it says how many more there are.
const SHOWN: usize = 3;

/// The strategy of EndpointSlices.
pub(crate) struct EndpointSlice;

impl Strategy for EndpointSlice {
    fn default_fields(&self, object: &mut Object) {
        for port in each(object.as_map_mut(), "ports") {
            fill(port, "name", "");
            fill(port, "protocol", "TCP");
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let kind = At::field(object, "addressType");
        kind.needs_one_of(&["FQDN", "IPv4", "IPv6"], &mut errors);
        let all = items(object, "endpoints");
        if all.len() > MAX_ENDPOINTS {
            let message = format!("Too many: {}: must have at most {MAX_ENDPOINTS} items", all.len());
            errors.push(FieldError::new("FieldValueTooMany", "endpoints", message));
        }
        for endpoint in &all {
            addresses(endpoint, kind.text(), &mut errors);
            if !is_masters(object) && kind.text() != "FQDN" {
                not_special(endpoint, &mut errors);
            }
        }
        ports(object, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        At::field(new, "addressType").immutable(&At::field(old, "addressType"), &mut errors);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("ADDRESSTYPE"), Column::shown("PORTS"), Column::shown("ENDPOINTS")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let ports = list(object, &["ports"]).map(|port| match port.get("port").and_then(Value::as_i64) {
            Some(number) => number.to_string(),
            None => "*".to_owned(),
        });
        let addresses = list(object, &["endpoints"])
            .filter_map(|endpoint| endpoint.get("addresses")?.as_array())
            .flatten()
            .filter_map(|address| Some(address.as_str()?.to_owned()));
        vec![
            object.text(&["addressType"]).to_owned(),
            abridged(ports.collect()),
            abridged(addresses.collect()),
        ]
    }
}

fn abridged(all: Vec<String>) -> String {
    match all.len() {
        0 => "<unset>".to_owned(),
        n if n > SHOWN => format!("{} + {} more...", all[..SHOWN].join(","), n - SHOWN),
        _ => all.join(","),
    }
}

/// The items of a list at the top of an object.
fn items<'a>(object: &'a Object, field: &str) -> Vec<At<'a>> {
    let list = list(object, &[field]).enumerate();
    list.map(|(index, value)| At { path: format!("{field}[{index}]"), value }).collect()
}

fn addresses(endpoint: &At<'_>, kind: &str, errors: &mut Vec<FieldError>) {
    let all = endpoint.items("addresses");
    if all.is_empty() {
        errors.push(endpoint.key("addresses").required("must contain at least 1 address"));
    }
    for address in all {
        let (right, why) = match kind {
            "IPv4" => (address.text().parse::<Ipv4Addr>().is_ok(), "must be a valid IPv4 address"),
            "IPv6" => (address.text().parse::<Ipv6Addr>().is_ok(), "must be a valid IPv6 address"),
            _ => (true, ""),
        };
        if !right {
            errors.push(address.invalid(why));
        } else if kind == "FQDN" {
            address.obeys(name::dns_subdomain, errors);
        }
    }
}

/// A user's endpoint must not lead to what listens on the nodes' own loopback.
fn not_special(endpoint: &At<'_>, errors: &mut Vec<FieldError>) {
    for address in endpoint.items("addresses") {
        if address.text().parse::<std::net::IpAddr>().is_ok() {
            address.obeys(non_special, errors);
        }
    }
}

/// The masters of a cluster in one process may well listen on loopback, and the proxy
/// beside them reaches them there.
fn is_masters(slice: &Object) -> bool {
    slice.namespace() == "default" && slice.text(&["metadata", "labels", SERVICE_NAME]) == "kubernetes"
}

fn ports(object: &Object, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    for port in items(object, "ports") {
        let own = port.key("name");
        if !own.text().is_empty() {
            own.obeys(name::dns_label, errors);
        }
        if !names.insert(own.text()) {
            errors.push(own.duplicate());
        }
        port.key("protocol").needs_one_of(&["SCTP", "TCP", "UDP"], errors);
        port.key("port").port(errors);
    }
}
