//! What a node agent (`system:node:NAME` in `system:nodes`) may do: its own Node and
//! Lease, the pods bound to it and what those pods name, Services for their environment,
//! the other nodes' addresses for its routes. Nothing of others.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_state::{Key, State};

use super::Attributes;
use crate::{User, stored};

/// Whether this is a node agent that does what node agents do.
pub(super) fn allows(state: &State, user: &User, wanted: &Attributes<'_>) -> bool {
    user.node().is_some_and(|node| decide(state, node, wanted))
}

fn decide(state: &State, node: &str, wanted: &Attributes<'_>) -> bool {
    let read = matches!(wanted.verb, "get" | "list" | "watch");
    let change = matches!(wanted.verb, "update" | "patch");
    match (wanted.group, wanted.resource) {
        ("" | "discovery.k8s.io", "services" | "endpointslices") => read,
        ("", "nodes") if read => true,
        // Which name a create has is checked behind its decoding.
        ("", "nodes") => wanted.verb == "create" || change && wanted.name == node,
        ("", "nodes/status") => (change || wanted.verb == "get") && wanted.name == node,
        ("", "pods") => match wanted.verb {
            "list" | "watch" => wanted.required_field("spec.nodeName").as_deref() == Some(node),
            "get" | "delete" => runs(state, node, wanted.namespace, wanted.name),
            _ => false,
        },
        ("", "pods/eviction") => wanted.verb == "create" && runs(state, node, wanted.namespace, wanted.name),
        ("", "pods/status") => change && runs(state, node, wanted.namespace, wanted.name),
        ("", "secrets" | "configmaps") if read => {
            let name = wanted.object_name();
            !name.is_empty() && pods_name(state, node, wanted.namespace, wanted.resource, &name)
        }
        ("", "serviceaccounts/token") => {
            wanted.verb == "create" && runs_as(state, node, wanted.namespace, wanted.name)
        }
        ("", "serviceaccounts") => {
            wanted.verb == "get" && runs_as(state, node, wanted.namespace, wanted.name)
        }
        ("" | "events.k8s.io", "events") => wanted.verb == "create" || change,
        ("coordination.k8s.io", "leases") => {
            let own = wanted.verb == "create" || wanted.name == node && (change || wanted.verb == "get");
            own && wanted.namespace == "kube-node-lease"
        }
        _ => false,
    }
}

/// Whether a pod is bound to a node. One that is gone counts: an agent that reports on it
/// must learn that it is gone, which gives nothing away.
fn runs(state: &State, node: &str, namespace: &str, name: &str) -> bool {
    let entry = state.get(&Key::new("pods", namespace, name));
    entry.is_none_or(|entry| stored::decode(entry).is_ok_and(|pod| pod.text(&["spec", "nodeName"]) == node))
}

/// The pods of a namespace that are bound to a node. Only those that have its name
/// somewhere are decoded.
fn pods<'a>(state: &'a State, node: &'a str, namespace: &'a str) -> impl Iterator<Item = Object> + 'a {
    let needle = format!("\"nodeName\":{}", Value::from(node));
    state
        .list("pods", Some(namespace))
        .filter(move |(_, _, entry)| {
            std::str::from_utf8(&entry.value).is_ok_and(|text| text.contains(&needle))
        })
        .filter_map(|(_, _, entry)| stored::decode(entry).ok())
        .filter(move |pod| pod.text(&["spec", "nodeName"]) == node)
}

fn runs_as(state: &State, node: &str, namespace: &str, account: &str) -> bool {
    pods(state, node, namespace).any(|pod| pod.text(&["spec", "serviceAccountName"]) == account)
}

/// Whether a pod of this node names a Secret or ConfigMap. Every pod may see the CA.
fn pods_name(state: &State, node: &str, namespace: &str, resource: &str, name: &str) -> bool {
    pods(state, node, namespace).any(|pod| {
        (resource, name) == ("configmaps", "kube-root-ca.crt")
            || pod.get(&["spec"]).is_some_and(|spec| names(spec, resource, name))
    })
}

/// Looks for a reference anywhere in a pod's spec, by the fields that can hold one.
fn names(value: &Value, resource: &str, name: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| names(item, resource, name)),
        Value::Object(map) => map.iter().any(|(key, value)| {
            let refers = match resource {
                "secrets" => key == "secret" || key == "secretKeyRef" || key.ends_with("ecretRef"),
                _ => matches!(key.as_str(), "configMap" | "configMapRef" | "configMapKeyRef"),
            };
            let is = |value: &Value, field: &str| value.get(field).and_then(Value::as_str) == Some(name);
            let pull_secret = resource == "secrets" && key == "imagePullSecrets";
            let pulls = pull_secret && value.as_array().into_iter().flatten().any(|item| is(item, "name"));
            refers && (is(value, "name") || is(value, "secretName")) || pulls || names(value, resource, name)
        }),
        _ => false,
    }
}
