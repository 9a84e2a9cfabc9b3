//! EndpointSlices: the addresses behind every Service with a selector.
//!
//! Pods that give a named port different numbers go into different slices.

mod endpoint;
pub(crate) mod mirroring;
mod slices;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;
use xebec_api::well_known::SERVICE_NAME;

pub(crate) use endpoint::{of as endpoint_of, ports as ports_of};
use slices::{Contents, Slices};

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{ENDPOINT_SLICES, PODS, SERVICES};
use crate::view::View;

/// The label that says who keeps a slice.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";

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
    let services = view.may_select(pod);
    let selects = |service: &&Object| selector(service).is_some_and(|selector| selector.matches(pod));
    let mut keys: Vec<ObjectKey> =
        services.iter().filter(selects).map(|service| ObjectKey::of(SERVICES, service)).collect();
    let slices = view.slices_naming(pod.uid());
    let here = slices.iter().filter(|slice| slice.namespace() == pod.namespace());
    keys.extend(here.filter_map(service_of));
    keys.sort();
    keys.dedup();
    keys
}

/// A Service's selector; `None` when it has none, or is a name of something outside.
pub(crate) fn selector(service: &Object) -> Option<LabelSelector> {
    let labels = service.get(&["spec", "selector"])?.as_object().filter(|labels| !labels.is_empty())?;
    if service.text(&["spec", "type"]) == "ExternalName" {
        return None;
    }
    Some(LabelSelector::from_object(&json!({"matchLabels": labels})))
}

fn sync(view: &dyn View, service: &Object, selector: &LabelSelector, plan: &mut Plan) {
    let pods = view.may_be_selected(service.namespace(), selector);
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
    let headless = service.text(&["spec", "clusterIP"]) == "None";
    Slices { manager: MANAGER, owner: service, service: service.name(), headless }
        .write(view, contents, plan);
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

#[cfg(test)]
mod tests;
