//! EndpointSlices of Endpoints that a user wrote for a Service without a selector, as
//! people did before there were slices. Whoever reads endpoints reads slices alone.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::well_known::SERVICE_NAME;

use super::MANAGED_BY;
use super::slices::{Contents, Slices};
use crate::controller::{Controller, ObjectKey};
use crate::endpoints;
use crate::plan::Plan;
use crate::resources::{ENDPOINT_SLICES, ENDPOINTS, SERVICES};
use crate::view::View;

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// Who sets it writes the slices too.
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";

/// See the module.
pub(crate) struct EndpointSliceMirroring;

impl Controller for EndpointSliceMirroring {
    fn name(&self) -> &'static str {
        "endpointslicemirroring"
    }

    fn keys(&self, _view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let key = |name: &str| vec![ObjectKey::new(ENDPOINTS, object.namespace(), name)];
        match resource {
            // Made from slices, not by a user.
            ENDPOINTS if is_made(object) => Vec::new(),
            ENDPOINTS | SERVICES => key(object.name()),
            ENDPOINT_SLICES if object.text(&["metadata", "labels", MANAGED_BY]) == MANAGER => {
                key(object.text(&["metadata", "labels", SERVICE_NAME]))
            }
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let get = |resource| view.get(resource, &key.namespace, &key.name);
        if let Some(endpoints) = get(ENDPOINTS).filter(|endpoints| !endpoints.is_terminating()) {
            let service = get(SERVICES).filter(|service| is_mirrored(service, &endpoints));
            let headless = service.as_ref().is_some_and(|s| s.text(&["spec", "clusterIP"]) == "None");
            let contents = service.map(|_| contents(&endpoints)).unwrap_or_default();
            let slices = Slices { manager: MANAGER, owner: &endpoints, service: &key.name, headless };
            slices.write(view, contents, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(ENDPOINTS, None).iter().map(|endpoints| ObjectKey::of(ENDPOINTS, endpoints)).collect()
    }
}

fn is_made(endpoints: &Object) -> bool {
    endpoints.text(&["metadata", "labels", endpoints::MANAGED_BY]) == endpoints::MANAGER
}

fn is_mirrored(service: &Object, endpoints: &Object) -> bool {
    let selects =
        service.get(&["spec", "selector"]).and_then(Value::as_object).is_some_and(|map| !map.is_empty());
    !selects && !service.is_terminating() && endpoints.text(&["metadata", "labels", SKIP]) != "true"
}

fn contents(endpoints: &Object) -> Contents {
    let mut contents = Contents::new();
    for subset in endpoints.get(&["subsets"]).and_then(Value::as_array).into_iter().flatten() {
        let list = |field: &str| subset.get(field).and_then(Value::as_array).into_iter().flatten();
        let ports: Value = list("ports").map(port).collect();
        for (field, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for address in list(field) {
                let Some(family) = family(address) else { continue };
                let entry = contents.entry((family, ports.to_string()));
                entry.or_insert_with(|| (ports.clone(), Vec::new())).1.push(endpoint(address, ready));
            }
        }
    }
    contents
}

fn family(address: &Value) -> Option<&'static str> {
    match address.get("ip")?.as_str()?.parse().ok()? {
        IpAddr::V4(_) => Some("IPv4"),
        IpAddr::V6(_) => Some("IPv6"),
    }
}

fn port(port: &Value) -> Value {
    let text =
        |key: &str, otherwise: &str| port.get(key).and_then(Value::as_str).unwrap_or(otherwise).to_owned();
    let mut entry =
        json!({"name": text("name", ""), "port": port.get("port"), "protocol": text("protocol", "TCP")});
    if let Some(protocol) = port.get("appProtocol") {
        entry["appProtocol"] = protocol.clone();
    }
    entry
}

fn endpoint(address: &Value, ready: bool) -> Value {
    let mut endpoint = json!({"addresses": [address.get("ip")], "conditions": {"ready": ready}});
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = address.get(field) {
            endpoint[field] = value.clone();
        }
    }
    endpoint
}

#[cfg(test)]
mod tests;
