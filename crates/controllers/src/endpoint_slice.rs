//! EndpointSlices: the addresses behind every Service with a selector.
//!
//! Pods that give a named port different numbers go into different slices. A slice's
//! name comes from what it holds (family, ports, index), so that the same pods always
//! make the same slices.

mod endpoint;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::controller::{Controller, ObjectKey};
use crate::hash::{Fnv, suffix};
use crate::owner::controller_reference;
use crate::plan::Plan;
use crate::resources::{ENDPOINT_SLICES, PODS, SERVICES};
use crate::view::View;

/// The label that says which Service a slice belongs to.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that says who keeps a slice.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// Endpoints per slice, as the API allows them.
const CAPACITY: usize = 1000;

/// See the module.
pub(crate) struct EndpointSlice;

impl Controller for EndpointSlice {
    fn name(&self) -> &'static str {
        "endpointslice"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        match resource {
            SERVICES => vec![ObjectKey::of(SERVICES, object)],
            ENDPOINT_SLICES => service_of(object).into_iter().collect(),
            PODS => services_of(view, object),
            _ => Vec::new(),
        }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(service) = view.get(SERVICES, &key.namespace, &key.name)
            && !service.is_terminating()
            && let Some(selector) = selector(&service)
        {
            sync(view, &service, &selector, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        view.list(SERVICES, None).iter().map(|service| ObjectKey::of(SERVICES, service)).collect()
    }
}

fn is_ours(slice: &Object) -> bool {
    slice.text(&["metadata", "labels", MANAGED_BY]) == MANAGER
}

fn service_of(slice: &Object) -> Option<ObjectKey> {
    let service = slice.text(&["metadata", "labels", SERVICE_NAME]);
    (is_ours(slice) && !service.is_empty()).then(|| ObjectKey::new(SERVICES, slice.namespace(), service))
}

/// The Services that select a pod now, and those whose slices still name it.
fn services_of(view: &dyn View, pod: &Object) -> Vec<ObjectKey> {
    let services = view.list(SERVICES, Some(pod.namespace()));
    let selects = |service: &&Object| selector(service).is_some_and(|selector| selector.matches(pod));
    let mut keys: Vec<ObjectKey> =
        services.iter().filter(selects).map(|service| ObjectKey::of(SERVICES, service)).collect();
    let slices = view.list(ENDPOINT_SLICES, Some(pod.namespace()));
    keys.extend(slices.iter().filter(|slice| names(slice, pod.uid())).filter_map(service_of));
    keys.sort();
    keys.dedup();
    keys
}

fn names(slice: &Object, uid: &str) -> bool {
    let endpoints = slice.get(&["endpoints"]).and_then(Value::as_array).into_iter().flatten();
    let mut uids = endpoints.filter_map(|endpoint| endpoint.pointer("/targetRef/uid")?.as_str());
    uids.any(|other| other == uid)
}

/// A Service's selector; `None` when it has none, or is a name of something outside.
fn selector(service: &Object) -> Option<LabelSelector> {
    let labels = service.get(&["spec", "selector"])?.as_object().filter(|labels| !labels.is_empty())?;
    if service.text(&["spec", "type"]) == "ExternalName" {
        return None;
    }
    Some(LabelSelector::from_object(&json!({"matchLabels": labels})))
}

/// What one slice is about: family and ports. Endpoints are in order of their addresses.
type Contents = BTreeMap<(&'static str, String), (Value, Vec<Value>)>;

fn sync(view: &dyn View, service: &Object, selector: &LabelSelector, plan: &mut Plan) {
    let pods = view.list(PODS, Some(service.namespace()));
    let mut contents = Contents::new();
    for family in families(service) {
        for pod in pods.iter().filter(|pod| selector.matches(pod)) {
            let Some(endpoint) = endpoint::of(service, pod, family) else { continue };
            let ports = endpoint::ports(service, pod);
            let entry = contents.entry((family, ports.to_string()));
            entry.or_insert_with(|| (ports, Vec::new())).1.push(endpoint);
        }
        if !contents.keys().any(|(kind, _)| *kind == family) {
            let ports = endpoint::ports(service, &Object::default());
            contents.insert((family, ports.to_string()), (ports, Vec::new()));
        }
    }
    write(view, service, contents, plan);
}

fn families(service: &Object) -> Vec<&'static str> {
    let list = service.get(&["spec", "ipFamilies"]).and_then(Value::as_array).into_iter().flatten();
    let known = list.filter_map(|family| match family.as_str() {
        Some("IPv6") => Some("IPv6"),
        Some("IPv4") => Some("IPv4"),
        _ => None,
    });
    let known: Vec<&str> = known.collect();
    if known.is_empty() { vec!["IPv4"] } else { known }
}

fn write(view: &dyn View, service: &Object, contents: Contents, plan: &mut Plan) {
    let mut stored: BTreeMap<String, Object> = view
        .list(ENDPOINT_SLICES, Some(service.namespace()))
        .into_iter()
        .filter(|slice| is_ours(slice) && slice.text(&["metadata", "labels", SERVICE_NAME]) == service.name())
        .map(|slice| (slice.name().to_owned(), slice))
        .collect();
    for ((family, text), (ports, mut endpoints)) in contents {
        endpoints.sort_by_cached_key(|endpoint| endpoint.pointer("/addresses/0").map(ToString::to_string));
        let empty: &[Value] = &[];
        let chunks = if endpoints.is_empty() { vec![empty] } else { endpoints.chunks(CAPACITY).collect() };
        for (index, chunk) in chunks.into_iter().enumerate() {
            let name = name(service, family, &text, index);
            let old = stored.remove(&name);
            let new = slice(service, old.as_ref(), &name, family, &ports, chunk);
            match old {
                Some(old) if !old.is_terminating() => plan.update(&old, new),
                Some(_) => {}
                None => plan.create(new),
            }
        }
    }
    stored.values().for_each(|stale| plan.delete(ENDPOINT_SLICES, stale));
}

fn name(service: &Object, family: &str, ports: &str, index: usize) -> String {
    let mut hash = Fnv::default();
    for part in [service.uid(), family, ports, &index.to_string()] {
        hash.write(part.as_bytes());
        hash.write(&[0]);
    }
    let stem: String = service.name().chars().take(57).collect();
    format!("{stem}-{}", suffix(hash.finish(), 5))
}

fn slice(
    service: &Object,
    old: Option<&Object>,
    name: &str,
    family: &str,
    ports: &Value,
    endpoints: &[Value],
) -> Object {
    let mut slice = old.cloned().unwrap_or_default();
    slice.set(&["apiVersion"], "discovery.k8s.io/v1");
    slice.set(&["kind"], "EndpointSlice");
    slice.set(&["metadata", "name"], name);
    slice.set(&["metadata", "namespace"], service.namespace());
    for (key, value) in service.labels() {
        slice.set(&["metadata", "labels", key], value);
    }
    if service.text(&["spec", "clusterIP"]) == "None" {
        slice.set(&["metadata", "labels", "service.kubernetes.io/headless"], "");
    }
    slice.set(&["metadata", "labels", SERVICE_NAME], service.name());
    slice.set(&["metadata", "labels", MANAGED_BY], MANAGER);
    slice.set(&["metadata", "ownerReferences"], json!([controller_reference(service)]));
    slice.set(&["addressType"], family);
    slice.set(&["ports"], ports.clone());
    slice.set(&["endpoints"], endpoints.to_vec());
    slice
}

#[cfg(test)]
mod tests;
