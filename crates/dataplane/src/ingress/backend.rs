//! What a rule leads to: one port of one Service, and the endpoints that are behind it now.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use xebec_api::object::Object;

use crate::endpoints::{self, Protocol, Slices, protocol};
use crate::json::{list, text};

/// One port of one Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// Of the Service.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// Where requests go. Empty: nobody is ready, or the Service or port does not exist.
    pub endpoints: Vec<SocketAddr>,
    /// How long an endpoint may be silent; `None` for the default.
    pub read_timeout_seconds: Option<u32>,
}

/// The Services of a cluster and their slices, at hand by name.
pub(super) struct Services<'a> {
    services: BTreeMap<(&'a str, &'a str), &'a Object>,
    slices: Slices<'a>,
}

/// Why a backend cannot be found: a reason and what is wrong.
pub(super) type Missing = (&'static str, String);

impl<'a> Services<'a> {
    pub(super) fn new<O: Borrow<Object>>(services: &'a [O], slices: &'a [O]) -> Self {
        let key = |object: &'a Object| (object.namespace(), object.name());
        let services = services.iter().map(Borrow::borrow).map(|service| (key(service), service)).collect();
        Self { services, slices: Slices::new(slices) }
    }

    /// Finds what an Ingress's `backend` names, in its namespace.
    pub(super) fn find(&self, namespace: &str, backend: &Value) -> Result<Backend, Missing> {
        let Some(named) = backend.get("service") else {
            return Err(("UnsupportedBackend", "only Services can be backends here: name one".to_owned()));
        };
        let name = text(named, "name");
        let service = self.services.get(&(namespace, name));
        let Some(service) = service else {
            let why = format!(
                "service {name:?} does not exist in namespace {namespace:?}: create it, or name another"
            );
            return Err(("ServiceNotFound", why));
        };
        if service.text(&["spec", "type"]) == "ExternalName" {
            let why = format!(
                "service {name:?} is a name of something outside (ExternalName): use one with endpoints"
            );
            return Err(("UnsupportedBackend", why));
        }
        let wanted = named.get("port").unwrap_or(&Value::Null);
        let port = ports(service).find(|port| is_wanted(port, wanted));
        let Some(port) = port else { return Err(("PortNotFound", no_port(name, service, wanted))) };
        Ok(Backend {
            namespace: namespace.to_owned(),
            service: name.to_owned(),
            endpoints: self.endpoints(namespace, name, text(port, "name")),
            read_timeout_seconds: None,
        })
    }

    /// As the proxy would choose them, wherever they are.
    fn endpoints(&self, namespace: &str, service: &str, port_name: &str) -> Vec<SocketAddr> {
        let known = endpoints::of(self.slices.of(namespace, service), port_name, Protocol::Tcp, "");
        endpoints::choose(&known, false).into_iter().map(|endpoint| endpoint.address.into()).collect()
    }
}

fn no_port(name: &str, service: &Object, wanted: &Value) -> String {
    let wanted = match wanted.get("number") {
        Some(number) => number.to_string(),
        None => format!("{:?}", text(wanted, "name")),
    };
    let shown = |port: &Value| match (port.get("port").unwrap_or(&Value::Null), text(port, "name")) {
        (number, "") => number.to_string(),
        (number, name) => format!("{number} ({name})"),
    };
    let all: Vec<String> = ports(service).map(shown).collect();
    format!("service {name:?} has no TCP port {wanted}: it has {}", all.join(", "))
}

fn ports(service: &Object) -> impl Iterator<Item = &Value> {
    list(service, &["spec", "ports"]).filter(|port| protocol(port) == Some(Protocol::Tcp))
}

fn is_wanted(port: &Value, wanted: &Value) -> bool {
    match wanted.get("number") {
        Some(number) => port.get("port") == Some(number),
        None => !text(wanted, "name").is_empty() && text(port, "name") == text(wanted, "name"),
    }
}
