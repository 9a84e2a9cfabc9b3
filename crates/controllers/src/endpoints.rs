//! Endpoints: the older form of EndpointSlices, one object for each Service with a
//! selector. Nothing in the cluster reads them; people and older programs do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;

use crate::controller::{Controller, ObjectKey};
use crate::endpoint_slice::{EndpointSlice, endpoint_of, ports_of, selector};
use crate::owner::controller_reference;
use crate::plan::Plan;
use crate::resources::{ENDPOINT_SLICES, ENDPOINTS, PODS, SERVICES};
use crate::view::View;

pub(crate) const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
pub(crate) const MANAGER: &str = "endpoint-controller";
/// Addresses of one object; what is more is left to the slices, and said so.
const CAPACITY: usize = 1000;
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// See the module.
pub(crate) struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            ENDPOINTS => vec![ObjectKey::new(SERVICES, object.namespace(), object.name())],
            // A pod touches the same Services, whichever form their endpoints have; one that
            // was just left out of the slices is known from their change alone.
            SERVICES | PODS | ENDPOINT_SLICES => EndpointSlice.keys(view, resource, object),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let service = view.get(SERVICES, &key.namespace, &key.name);
        let service = service.filter(|service| !service.is_terminating() && selector(service).is_some());
        let Some(service) = service else { return plan };
        match view.get(ENDPOINTS, &key.namespace, &key.name) {
            Some(old) if !old.is_terminating() => plan.update(&old, wanted(view, &service, old.clone())),
            Some(_) => {}
            None => plan.create(wanted(view, &service, Object::default())),
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        EndpointSlice.initial(view)
    }
}

fn wanted(view: &dyn View, service: &Object, mut endpoints: Object) -> Object {
    endpoints.set(&["apiVersion"], "v1");
    endpoints.set(&["kind"], "Endpoints");
    endpoints.set(&["metadata", "name"], service.name());
    endpoints.set(&["metadata", "namespace"], service.namespace());
    endpoints.remove(&["metadata", "labels"]);
    for (key, value) in service.labels() {
        endpoints.set(&["metadata", "labels", key], value);
    }
    endpoints.set(&["metadata", "labels", MANAGED_BY], MANAGER);
    endpoints.set(&["metadata", "ownerReferences"], json!([controller_reference(service)]));
    let (subsets, truncated) = subsets(view, service);
    if truncated {
        endpoints.set(&["metadata", "annotations", OVER_CAPACITY], "truncated");
    } else {
        endpoints.remove(&["metadata", "annotations", OVER_CAPACITY]);
    }
    if subsets.is_empty() {
        endpoints.remove(&["subsets"]);
    } else {
        endpoints.set(&["subsets"], subsets);
    }
    endpoints
}

/// The pods by the numbers of their ports, and whether there were too many.
fn subsets(view: &dyn View, service: &Object) -> (Vec<Value>, bool) {
    let Some(selector) = selector(service) else { return (Vec::new(), false) };
    let mut pods = view.may_be_selected(service.namespace(), &selector);
    pods.retain(|pod| selector.matches(pod));
    let known =
        pods.iter().filter_map(|pod| Some((endpoint_of(service, pod, "IPv4")?, ports_of(service, pod))));
    let known: Vec<(Value, Value)> = known.filter(|(endpoint, _)| is_listed(endpoint)).collect();
    let mut subsets: BTreeMap<String, Value> = BTreeMap::new();
    for (endpoint, ports) in known.iter().take(CAPACITY) {
        let subset = subsets.entry(ports.to_string()).or_insert_with(|| json!({"ports": named(ports)}));
        let ready = endpoint["conditions"]["ready"] == true;
        let list = &mut subset[if ready { "addresses" } else { "notReadyAddresses" }];
        if list.is_null() {
            *list = json!([]);
        }
        list.as_array_mut().expect("it was made one").push(address(endpoint));
    }
    (subsets.into_values().collect(), known.len() > CAPACITY)
}

/// What is on its way out stands in the slices only, unless it counts as ready.
fn is_listed(endpoint: &Value) -> bool {
    let conditions = &endpoint["conditions"];
    conditions["terminating"] != true || conditions["ready"] == true
}

/// Here a port without a name has none, and not an empty one.
fn named(ports: &Value) -> Value {
    let list = ports.as_array().into_iter().flatten().map(|port| {
        let mut port = port.as_object().cloned().unwrap_or_default();
        if port.get("name").is_some_and(|name| name == "") {
            port.remove("name");
        }
        Value::Object(port)
    });
    list.collect()
}

fn address(endpoint: &Value) -> Value {
    let mut address = json!({"ip": endpoint["addresses"][0]});
    for field in ["hostname", "nodeName", "targetRef"] {
        if let Some(value) = endpoint.get(field) {
            address[field] = value.clone();
        }
    }
    address
}

#[cfg(test)]
mod tests;
