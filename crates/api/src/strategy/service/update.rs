//! What a Service keeps over an update: its address and the ports that nodes give it.

use serde_json::{Map, Value};

use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::strategy::defaults::each;

fn kind(object: &Object) -> &str {
    match object.text(&["spec", "type"]) {
        "" => "ClusterIP",
        kind => kind,
    }
}

fn is_exposed(object: &Object) -> bool {
    matches!(kind(object), "NodePort" | "LoadBalancer")
}

/// Fills in what the updater left out and the allocator had given.
pub(super) fn carry_over(new: &mut Object, old: &Object) {
    let (new_kind, old_kind) = (kind(new).to_owned(), kind(old).to_owned());
    if new_kind == "ExternalName" {
        if old_kind != "ExternalName" {
            drop_allocated(new, old);
        }
        return;
    }
    if old_kind != "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            keep(new, old, field);
        }
    }
    if is_exposed(new) && is_exposed(old) {
        keep_node_ports(new, old);
        keep(new, old, "healthCheckNodePort");
    } else if !is_exposed(new) && is_exposed(old) {
        drop_node_ports(new, old);
    }
}

fn keep(new: &mut Object, old: &Object, field: &str) {
    let unset = new.get(&["spec", field]).is_none_or(|value| value.is_null() || value == "");
    if let (true, Some(value)) = (unset, old.get(&["spec", field])) {
        let value = value.clone();
        new.set(&["spec", field], value);
    }
}

/// Addresses go when the type no longer has any, unless the updater insists on them (which
/// validation then refuses).
fn drop_allocated(new: &mut Object, old: &Object) {
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
        if new.get(&["spec", field]) == old.get(&["spec", field]) {
            new.remove(&["spec", field]);
        }
    }
    drop_node_ports(new, old);
}

fn drop_node_ports(new: &mut Object, old: &Object) {
    let given: Vec<Value> = ports(old).filter_map(|port| port.get("nodePort").cloned()).collect();
    if let Some(spec) = new.as_map_mut().get_mut("spec").and_then(Value::as_object_mut) {
        for port in each(spec, "ports") {
            if port.get("nodePort").is_some_and(|port| given.contains(port)) {
                port.remove("nodePort");
            }
        }
        spec.remove("externalTrafficPolicy");
        spec.remove("allocateLoadBalancerNodePorts");
    }
}

fn keep_node_ports(new: &mut Object, old: &Object) {
    let same = |port: &Map<String, Value>, other: &Value| {
        let protocol = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("TCP").to_owned();
        port.get("port") == other.get("port")
            && protocol(port.get("protocol")) == protocol(other.get("protocol"))
    };
    let taken: Vec<Value> = ports(new).filter_map(|port| port.get("nodePort").cloned()).collect();
    let Some(spec) = new.as_map_mut().get_mut("spec").and_then(Value::as_object_mut) else { return };
    for port in each(spec, "ports") {
        if port.get("nodePort").is_some_and(|number| number != 0) {
            continue;
        }
        let before = ports(old).find(|other| same(port, other)).and_then(|other| other.get("nodePort"));
        if let Some(number) = before.filter(|number| !taken.contains(number)) {
            port.insert("nodePort".to_owned(), number.clone());
        }
    }
}

fn ports(service: &Object) -> impl Iterator<Item = &Value> {
    crate::pod::list(service, &["spec", "ports"])
}

/// A ClusterIP never changes while the Service has one.
pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (new_ip, old_ip) = (At::field(new, "spec").key("clusterIP"), At::field(old, "spec").key("clusterIP"));
    let leaves = kind(new) == "ExternalName" || kind(old) == "ExternalName";
    if !leaves && !old_ip.is_empty() && new_ip.value != old_ip.value {
        let ips = At::field(new, "spec").key("clusterIPs");
        let shown = serde_json::json!([new_ip.text()]);
        errors
            .push(At { path: format!("{}[0]", ips.path), value: &shown }.invalid("may not change once set"));
    }
    errors
}
