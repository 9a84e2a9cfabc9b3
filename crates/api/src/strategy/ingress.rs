//! Ingresses.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};

/// The strategy of Ingresses.
pub(crate) struct Ingress;

impl Strategy for Ingress {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        let rules = spec.items("rules");
        if rules.is_empty() && !spec.key("defaultBackend").is_set() {
            errors.push(spec.invalid("either `defaultBackend` or `rules` must be specified"));
        }
        if spec.key("defaultBackend").is_set() {
            backend(&spec.key("defaultBackend"), &mut errors);
        }
        for rule in &rules {
            host(&rule.key("host"), &mut errors);
            for path in rule.key("http").items("paths") {
                validate_path(&path, &mut errors);
            }
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("CLASS"),
                Column::shown("HOSTS"),
                Column::shown("ADDRESS"),
                Column::shown("PORTS"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let class = match object.text(&["spec", "ingressClassName"]) {
            "" => "<none>",
            class => class,
        };
        let secure = list(object, &["spec", "tls"]).next().is_some();
        let ports = if secure { "80, 443" } else { "80" };
        vec![class.to_owned(), hosts(object), addresses(object), ports.to_owned()]
    }
}

fn host(host: &At<'_>, errors: &mut Vec<FieldError>) {
    let rest = host.text().strip_prefix("*.").unwrap_or(host.text());
    if !rest.is_empty() {
        errors.extend(name::dns_subdomain(rest).err().map(|why| host.invalid(&why)));
    }
}

fn validate_path(path: &At<'_>, errors: &mut Vec<FieldError>) {
    let kind = path.key("pathType");
    let kinds = ["Exact", "ImplementationSpecific", "Prefix"];
    if kind.is_empty() {
        errors.push(kind.required("pathType must be specified"));
    }
    kind.one_of(&kinds, errors);
    let own = path.key("path");
    let needed = kind.text() != "ImplementationSpecific";
    if (needed || !own.is_empty()) && !own.text().starts_with('/') {
        errors.push(own.invalid("must be an absolute path"));
    }
    if needed && own.text().contains("//") {
        errors.push(own.invalid("must not contain '//'"));
    }
    backend(&path.key("backend"), errors);
}

fn backend(backend: &At<'_>, errors: &mut Vec<FieldError>) {
    let (service, resource) = (backend.key("service"), backend.key("resource"));
    match (service.is_set(), resource.is_set()) {
        (true, true) => errors.push(backend.invalid("cannot set both resource and service backends")),
        (false, false) => errors.push(backend.required("resource or service backend is required")),
        (false, true) => {}
        (true, false) => {
            service.key("name").needs(name::dns1035_label, errors);
            let port = service.key("port");
            match (port.key("number").is_set(), port.key("name").is_set()) {
                (true, false) => port.key("number").port(errors),
                (false, true) => port.key("name").obeys(name::port_name, errors),
                (true, true) => errors.push(port.invalid("cannot set both port name & port number")),
                (false, false) => errors.push(port.required("port name or number is required")),
            }
        }
    }
}

fn hosts(ingress: &Object) -> String {
    let hosts: BTreeSet<&str> =
        list(ingress, &["spec", "rules"]).filter_map(|rule| rule.get("host")?.as_str()).collect();
    if hosts.is_empty() { "*".to_owned() } else { hosts.into_iter().collect::<Vec<_>>().join(",") }
}

fn addresses(ingress: &Object) -> String {
    let found = list(ingress, &["status", "loadBalancer", "ingress"]);
    let texts = found.filter_map(|i| i.get("ip").or_else(|| i.get("hostname")).and_then(Value::as_str));
    texts.collect::<Vec<_>>().join(",")
}
