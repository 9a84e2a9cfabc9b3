//! The rules of Services.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::address::non_special;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::{metadata, name};

/// The ports of nodes that Services may have.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/// Every broken rule.
pub(super) fn service(object: &Object) -> Vec<FieldError> {
    let spec = At::field(object, "spec");
    let mut errors = Vec::new();
    spec.key("type").needs_one_of(&TYPES, &mut errors);
    addresses(&spec, &mut errors);
    ports(&spec, &mut errors);
    metadata::labels(&spec.key("selector"), &mut errors);
    spec.key("sessionAffinity").needs_one_of(&["ClientIP", "None"], &mut errors);
    let timeout = spec.key("sessionAffinityConfig").key("clientIP").key("timeoutSeconds");
    if timeout.int().is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
        errors.push(timeout.invalid("must be greater than 0 and less than 86400"));
    }
    policies(&spec, &mut errors);
    errors
}

fn is_exposed(spec: &At<'_>) -> bool {
    matches!(spec.text_of("type"), "NodePort" | "LoadBalancer")
}

fn addresses(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let kind = spec.text_of("type");
    let own = spec.key("clusterIP");
    if kind == "ExternalName" {
        spec.key("externalName").needs(name::dns_subdomain, errors);
        if !matches!(own.text(), "" | "None") {
            errors.push(own.forbidden("may not be set when `type` is 'ExternalName'"));
        }
        return;
    }
    match own.text() {
        "" => {}
        "None" if is_exposed(spec) => {
            errors.push(own.invalid(&format!("may not be set to 'None' for {kind} services")));
        }
        "None" => {}
        text if text.parse::<IpAddr>().is_err() => {
            errors.push(own.invalid("must be empty, 'None', or a valid IP address"));
        }
        _ => {
            let first = spec.items("clusterIPs");
            if first.first().is_some_and(|first| first.text() != own.text()) {
                errors.push(spec.key("clusterIPs").invalid("first value must match `clusterIP`"));
            }
        }
    }
    for ip in spec.items("externalIPs") {
        ip.needs(non_special, errors);
    }
}

fn ports(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let all = spec.items("ports");
    let needless = spec.text_of("type") == "ExternalName" || spec.text_of("clusterIP") == "None";
    if all.is_empty() && !needless {
        errors.push(spec.key("ports").required(""));
    }
    let (mut names, mut seen, mut node_ports) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for port in &all {
        port_name(port, all.len() > 1, &mut names, errors);
        let protocol = port.text_of("protocol");
        port_numbers(port, errors);
        let number = port.key("port").int().unwrap_or_default();
        if !seen.insert((number, protocol)) {
            let shown = serde_json::json!({"port": number, "protocol": protocol});
            errors.push(At { path: port.path.clone(), value: &shown }.duplicate());
        }
        let node_port = port.key("nodePort");
        let wanted = node_port.int().unwrap_or_default();
        if wanted == 0 {
            continue;
        }
        if !is_exposed(spec) {
            let kind = spec.text_of("type");
            errors.push(node_port.forbidden(&format!("may not be used when `type` is '{kind}'")));
        } else if !NODE_PORTS.contains(&wanted) {
            errors.push(
                node_port.invalid(
                    "provided port is not in the valid range. The range of valid ports is 30000-32767",
                ),
            );
        } else if !node_ports.insert((wanted, protocol)) {
            errors.push(node_port.duplicate());
        }
    }
}

fn port_name<'a>(port: &At<'a>, needed: bool, names: &mut BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    let own = port.key("name");
    if own.text().is_empty() {
        if needed {
            errors.push(own.required(""));
        }
        return;
    }
    own.obeys(name::dns_label, errors);
    if !names.insert(own.text()) {
        errors.push(own.duplicate());
    }
}

fn port_numbers(port: &At<'_>, errors: &mut Vec<FieldError>) {
    let number = port.key("port");
    match number.int() {
        None => errors.push(number.required("")),
        Some(_) => number.port(errors),
    }
    port.key("protocol").needs_one_of(&["SCTP", "TCP", "UDP"], errors);
    port.key("targetPort").port_or_name(errors);
}

fn policies(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let external = spec.key("externalTrafficPolicy");
    if external.is_set() && !is_exposed(spec) {
        errors.push(external.invalid("may only be set for externally-accessible services"));
    }
    external.one_of(&["Cluster", "Local"], errors);
    spec.key("internalTrafficPolicy").one_of(&["Cluster", "Local"], errors);
    spec.key("ipFamilyPolicy").one_of(&["SingleStack", "PreferDualStack", "RequireDualStack"], errors);
    for family in spec.items("ipFamilies") {
        family.one_of(&["IPv4", "IPv6"], errors);
    }
}
