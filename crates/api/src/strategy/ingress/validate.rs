//! What an Ingress may say. Whether what it names exists is found out by whoever serves it.

use std::net::IpAddr;

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::well_known::INGRESS_CLASS;

/// What a path may not have in it, as two parsers could understand it differently.
const BAD_SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: [&str; 2] = ["/..", "/."];

/// Every broken rule.
pub(super) fn ingress(object: &Object) -> Vec<FieldError> {
    let spec = At::field(object, "spec");
    let mut errors = Vec::new();
    class(object, &spec, &mut errors);
    let rules = spec.items("rules");
    let default = spec.key("defaultBackend");
    if rules.is_empty() && !default.is_set() {
        errors.push(spec.invalid("either `defaultBackend` or `rules` must be specified"));
    }
    if default.is_set() {
        backend(&default, &mut errors);
    }
    for rule in &rules {
        rule_host(&rule.key("host"), &mut errors);
        let http = rule.key("http");
        let paths = http.items("paths");
        if http.is_set() && paths.is_empty() {
            errors.push(http.key("paths").required(""));
        }
        paths.iter().for_each(|path| validate_path(path, &mut errors));
    }
    for tls in spec.items("tls") {
        tls.items("hosts").iter().for_each(|host| name_or_wildcard(host, &mut errors));
        let secret = tls.key("secretName");
        if !secret.is_empty() {
            secret.obeys(name::dns_subdomain, &mut errors);
        }
    }
    errors
}

fn class(object: &Object, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let class = spec.key("ingressClassName");
    class.obeys(name::dns_subdomain, errors);
    let annotation = object.annotation(INGRESS_CLASS);
    if class.is_set() && annotation.is_some_and(|annotation| annotation != class.text()) {
        let annotation = At::field(object, "metadata").key("annotations").key(INGRESS_CLASS);
        errors.push(annotation.invalid("must match `ingressClassName` when both are specified"));
    }
}

fn rule_host(host: &At<'_>, errors: &mut Vec<FieldError>) {
    if host.is_empty() {
        return;
    }
    if host.text().parse::<IpAddr>().is_ok() {
        errors.push(host.invalid("must be a DNS name, not an IP address"));
    }
    name_or_wildcard(host, errors);
}

fn name_or_wildcard(host: &At<'_>, errors: &mut Vec<FieldError>) {
    if host.text().contains('*') {
        host.obeys(name::wildcard_dns_subdomain, errors);
    } else {
        host.obeys(name::dns_subdomain, errors);
    }
}

fn validate_path(path: &At<'_>, errors: &mut Vec<FieldError>) {
    let kind = path.key("pathType");
    let own = path.key("path");
    match kind.text() {
        "" => return errors.push(kind.required("pathType must be specified")),
        "Exact" | "Prefix" => exact_or_prefix(&own, errors),
        "ImplementationSpecific" if own.is_empty() => {}
        "ImplementationSpecific" => absolute(&own, errors),
        _ => kind.one_of(&["Exact", "ImplementationSpecific", "Prefix"], errors),
    }
    backend(&path.key("backend"), errors);
}

fn exact_or_prefix(path: &At<'_>, errors: &mut Vec<FieldError>) {
    absolute(path, errors);
    let found = BAD_SEQUENCES.iter().filter(|bad| path.text().contains(*bad));
    errors.extend(found.map(|bad| path.invalid(&format!("must not contain '{bad}'"))));
    let found = BAD_ENDS.iter().filter(|bad| path.text().ends_with(*bad));
    errors.extend(found.map(|bad| path.invalid(&format!("cannot end with '{bad}'"))));
}

fn absolute(path: &At<'_>, errors: &mut Vec<FieldError>) {
    if !path.text().starts_with('/') {
        errors.push(path.invalid("must be an absolute path"));
    }
}

fn backend(backend: &At<'_>, errors: &mut Vec<FieldError>) {
    let (service, resource) = (backend.key("service"), backend.key("resource"));
    match (service.is_set(), resource.is_set()) {
        (true, true) => errors.push(backend.invalid("cannot set both resource and service backends")),
        (false, false) => errors.push(backend.invalid("resource or service backend is required")),
        (false, true) => {
            for (field, why) in [("kind", "kind is required"), ("name", "name is required")] {
                let field = resource.key(field);
                errors.extend(field.is_empty().then(|| field.required(why)));
            }
        }
        (true, false) => {
            service.key("name").needs(name::dns1035_label, errors);
            port(backend, &service.key("port"), errors);
        }
    }
}

fn port(backend: &At<'_>, port: &At<'_>, errors: &mut Vec<FieldError>) {
    let (number, name) = (port.key("number"), port.key("name"));
    match (number.int().is_some_and(|number| number != 0), !name.is_empty()) {
        (true, false) => number.port(errors),
        (false, true) => name.obeys(name::port_name, errors),
        (true, true) => errors.push(backend.invalid("cannot set both port name & port number")),
        (false, false) => errors.push(backend.required("port name or number is required")),
    }
}
