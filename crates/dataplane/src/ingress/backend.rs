//! What a rule leads to: one port of one Service, and the endpoints that are behind it now.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use xebec_api::object::Object;

const SERVICE_NAME: &str = "kubernetes.io/service-name";

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
    slices: BTreeMap<(&'a str, &'a str), Vec<&'a Object>>,
}

/// Why a backend cannot be found: a reason and what is wrong.
pub(super) type Missing = (&'static str, String);

impl<'a> Services<'a> {
    pub(super) fn new<O: Borrow<Object>>(services: &'a [O], slices: &'a [O]) -> Self {
        let key = |object: &'a Object| (object.namespace(), object.name());
        let services = services.iter().map(Borrow::borrow).map(|service| (key(service), service)).collect();
        let mut by_service: BTreeMap<_, Vec<&Object>> = BTreeMap::new();
        let slices = slices.iter().map(Borrow::borrow);
        for slice in slices.filter(|slice: &&Object| slice.text(&["addressType"]) == "IPv4") {
            let service = slice.text(&["metadata", "labels", SERVICE_NAME]);
            by_service.entry((slice.namespace(), service)).or_default().push(slice);
        }
        Self { services, slices: by_service }
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

    /// The ready endpoints; while there are none, those that leave and still serve.
    fn endpoints(&self, namespace: &str, service: &str, port_name: &str) -> Vec<SocketAddr> {
        let (mut ready, mut leaving) = (BTreeSet::new(), BTreeSet::new());
        for slice in self.slices.get(&(namespace, service)).into_iter().flatten() {
            let port = list(slice, "ports").find(|port| is_tcp(port) && text(port, "name") == port_name);
            let Some(port) = port.and_then(|port| number(port, "port")) else { continue };
            for endpoint in list(slice, "endpoints") {
                let address = endpoint.pointer("/addresses/0").and_then(Value::as_str);
                let Some(address) = address.and_then(|text| text.parse::<Ipv4Addr>().ok()) else { continue };
                let condition = |name: &str| endpoint.get("conditions")?.get(name)?.as_bool();
                if condition("ready").unwrap_or(true) {
                    ready.insert(SocketAddr::from((address, port)));
                } else if condition("terminating") == Some(true) && condition("serving") == Some(true) {
                    leaving.insert(SocketAddr::from((address, port)));
                }
            }
        }
        if ready.is_empty() { leaving } else { ready }.into_iter().collect()
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
    let ports = service.get(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    ports.filter(|port| is_tcp(port))
}

fn is_wanted(port: &Value, wanted: &Value) -> bool {
    match wanted.get("number") {
        Some(number) => port.get("port") == Some(number),
        None => !text(wanted, "name").is_empty() && text(port, "name") == text(wanted, "name"),
    }
}

fn list<'a>(object: &'a Object, field: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(&[field]).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> Option<u16> {
    let number = value.get(key)?.as_u64()?;
    u16::try_from(number).ok().filter(|number| *number > 0)
}

fn is_tcp(port: &Value) -> bool {
    matches!(text(port, "protocol"), "" | "TCP")
}
