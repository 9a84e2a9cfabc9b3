//! Validation, by the whole of what it says: a file for each kind.

mod config_data;
mod custom_resource_definition;
mod endpoint_slice;
mod endpoints;
mod event;
mod horizontal_pod_autoscaler;
mod ingress;
mod ingress_class;
mod limit_range;
mod namespace;
mod network_policy;
mod node;
mod pod;
mod pod_disruption_budget;
mod pod_network;
mod pod_volumes;
mod rbac;
mod resource_quota;
mod service;
mod storage;
mod workloads;

use serde_json::{Value, json};

fn pod(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"}, "spec": spec})
}

fn named(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "b"}});
    object.as_object_mut().expect("a map").extend(rest.as_object().expect("a map").clone());
    object
}
