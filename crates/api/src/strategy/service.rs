//! Services. Which ClusterIP and which node port is free is for the allocator in the
//! apiserver; what is written here is their form.

mod columns;
mod update;
mod validate;

use serde_json::{Map, Value, json};

use super::defaults::{each, fill, made, spec};
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// The strategy of Services.
pub(crate) struct Service;

impl Strategy for Service {
    fn validate_name(&self, name: &str) -> Result<(), String> {
        name::dns1035_label(name)
    }

    fn prepare_update(&self, new: &mut Object, old: &Object) {
        update::carry_over(new, old);
    }

    fn default_fields(&self, object: &mut Object) {
        if let Some(spec) = spec(object) {
            fill(spec, "type", "ClusterIP");
            fill(spec, "sessionAffinity", "None");
            each(spec, "ports").for_each(default_port);
            default_affinity(spec);
            default_policies(spec);
            default_addresses(spec);
        }
        if object.get(&["status", "loadBalancer"]).is_none() {
            object.set(&["status", "loadBalancer"], Map::new());
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        validate::service(object)
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        update::validate(new, old)
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        match field {
            "spec.clusterIP" => Some(object.text(&["spec", "clusterIP"]).to_owned()),
            "spec.type" => Some(object.text(&["spec", "type"]).to_owned()),
            _ => None,
        }
    }

    fn columns(&self) -> &'static [Column] {
        columns::COLUMNS
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        columns::cells(object)
    }
}

fn default_port(port: &mut Map<String, Value>) {
    fill(port, "protocol", "TCP");
    let unset = port.get("targetPort").is_none_or(|target| target == 0 || target == "");
    if let (true, Some(own)) = (unset, port.get("port").cloned()) {
        port.insert("targetPort".to_owned(), own);
    }
}

fn default_affinity(spec: &mut Map<String, Value>) {
    if spec.get("sessionAffinity") == Some(&json!("ClientIP")) {
        let config = made(spec, "sessionAffinityConfig").and_then(|config| made(config, "clientIP"));
        if let Some(client) = config {
            fill(client, "timeoutSeconds", 10_800);
        }
    } else {
        spec.remove("sessionAffinityConfig");
    }
}

fn default_policies(spec: &mut Map<String, Value>) {
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        fill(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind != "ExternalName" {
        fill(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// `clusterIP` is the first of `clusterIPs`, whichever of the two was written.
fn default_addresses(spec: &mut Map<String, Value>) {
    if spec.get("type") == Some(&json!("ExternalName")) {
        return;
    }
    fill(spec, "ipFamilyPolicy", "SingleStack");
    fill(spec, "ipFamilies", json!(["IPv4"]));
    let first = spec.get("clusterIPs").and_then(|ips| ips.get(0)).and_then(Value::as_str).map(str::to_owned);
    let own = spec.get("clusterIP").and_then(Value::as_str).filter(|ip| !ip.is_empty()).map(str::to_owned);
    match (own, first) {
        (None, Some(first)) => drop(spec.insert("clusterIP".to_owned(), first.into())),
        (Some(own), None) => drop(spec.insert("clusterIPs".to_owned(), json!([own]))),
        _ => {}
    }
}
