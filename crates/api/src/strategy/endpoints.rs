//! Endpoints, the older form of EndpointSlices.

use serde_json::Value;

use super::defaults::{each, fill};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};
use crate::{address, name};

const SHOWN: usize = 3;

/// The strategy of Endpoints.
pub(crate) struct Endpoints;

impl Strategy for Endpoints {
    fn default_fields(&self, object: &mut Object) {
        for subset in each(object.as_map_mut(), "subsets") {
            each(subset, "ports").for_each(|port| fill(port, "protocol", "TCP"));
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        // Those of the masters, which may listen on loopback where there is one process.
        let masters = object.namespace() == "default" && object.name() == "kubernetes";
        let rule = if masters { address::any } else { address::non_special };
        let mut errors = Vec::new();
        for (index, value) in list(object, &["subsets"]).enumerate() {
            validate_subset(&At { path: format!("subsets[{index}]"), value }, rule, &mut errors);
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("ENDPOINTS")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let all: Vec<String> = list(object, &["subsets"]).flat_map(sockets).collect();
        vec![match all.len() {
            0 => "<none>".to_owned(),
            n if n > SHOWN => format!("{} + {} more...", all[..SHOWN].join(","), n - SHOWN),
            _ => all.join(","),
        }]
    }
}

fn validate_subset(subset: &At<'_>, rule: fn(&str) -> name::Rule, errors: &mut Vec<FieldError>) {
    let addresses: Vec<At<'_>> =
        ["addresses", "notReadyAddresses"].iter().flat_map(|field| subset.items(field)).collect();
    if addresses.is_empty() {
        errors.push(subset.required("must specify `addresses` or `notReadyAddresses`"));
    }
    for one in &addresses {
        one.key("ip").needs(rule, errors);
        one.key("hostname").obeys(name::dns_label, errors);
    }
    let ports = subset.items("ports");
    for port in &ports {
        let own = port.key("name");
        if !own.is_empty() {
            own.obeys(name::dns_label, errors);
        } else if ports.len() > 1 {
            errors.push(own.required(""));
        }
        match port.key("port").int() {
            None => errors.push(port.key("port").required("")),
            Some(_) => port.key("port").port(errors),
        }
        port.key("protocol").needs_one_of(&["SCTP", "TCP", "UDP"], errors);
    }
}

fn sockets(subset: &Value) -> Vec<String> {
    let items = |field: &str| subset.get(field).and_then(Value::as_array).into_iter().flatten();
    let addresses = items("addresses").filter_map(|address| address.get("ip")?.as_str());
    let ports: Vec<i64> = items("ports").filter_map(|port| port.get("port")?.as_i64()).collect();
    addresses
        .flat_map(|ip| match ports.as_slice() {
            [] => vec![ip.to_owned()],
            ports => ports.iter().map(|port| format!("{ip}:{port}")).collect(),
        })
        .collect()
}
