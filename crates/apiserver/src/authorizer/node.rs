//! What a node's agent may do: read what its pods need, and write what it owns.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_state::{Key, State};

use crate::authorizer::Attributes;

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 4] = ["create", "update", "patch", "delete"];

/// Whether the node may.
pub(crate) fn allows(node: &str, asked: &Attributes<'_>, state: &State) -> bool {
    let reads = READ.contains(&asked.verb);
    match (asked.group, asked.resource, asked.subresource) {
        ("", "services", "") | ("discovery.k8s.io", "endpointslices", "") | ("", "namespaces", "") => reads,
        ("", "nodes", "" | "status") => {
            reads || (WRITE.contains(&asked.verb) && (asked.name == node || asked.verb == "create"))
        }
        ("", "events", "") => matches!(asked.verb, "create" | "patch" | "update"),
        ("", "pods", "" | "status" | "eviction") => pods(node, asked, state),
        ("", "configmaps" | "secrets", "") => asked.verb == "get" && is_needed(node, asked, state),
        ("", "serviceaccounts", "token") => {
            asked.verb == "create"
                && pods_of(node, asked.namespace, state).any(|pod| account(&pod) == asked.name)
        }
        _ => false,
    }
}

fn pods(node: &str, asked: &Attributes<'_>, state: &State) -> bool {
    match asked.verb {
        "list" | "watch" => asked.fields.required("spec.nodeName") == Some(node),
        "create" => asked.subresource == "eviction",
        _ => {
            let pod = state.get(&Key::new("pods", asked.namespace, asked.name));
            // One that is gone is told as NotFound, which gives nothing away.
            pod.is_none_or(|entry| Object::from_json(&entry.value).is_ok_and(|pod| on(node, &pod)))
        }
    }
}

fn is_needed(node: &str, asked: &Attributes<'_>, state: &State) -> bool {
    // The CA's ConfigMap is mounted into every pod.
    let own = asked.resource == "configmaps" && asked.name == "kube-root-ca.crt";
    own || pods_of(node, asked.namespace, state).any(|pod| {
        let spec = pod.get(&["spec"]).cloned().unwrap_or_default();
        mentions(&spec, asked.resource, asked.name)
    })
}

/// Whether a pod's spec refers to a ConfigMap or Secret, in any of the forms it can.
fn mentions(value: &Value, resource: &str, name: &str) -> bool {
    let keys: &[&str] = if resource == "secrets" {
        &["secretKeyRef", "secretRef", "secret", "imagePullSecrets"]
    } else {
        &["configMapKeyRef", "configMapRef", "configMap"]
    };
    let named = |reference: &Value| {
        let is = |reference: &Value| reference["name"] == name || reference["secretName"] == name;
        is(reference) || reference.as_array().is_some_and(|list| list.iter().any(is))
    };
    match value {
        Value::Object(map) => map.iter().any(|(key, inner)| {
            (keys.contains(&key.as_str()) && named(inner)) || mentions(inner, resource, name)
        }),
        Value::Array(list) => list.iter().any(|inner| mentions(inner, resource, name)),
        _ => false,
    }
}

fn pods_of<'a>(node: &'a str, namespace: &'a str, state: &'a State) -> impl Iterator<Item = Object> + 'a {
    let pods = state.list("pods", Some(namespace));
    pods.filter_map(|(_, _, entry)| Object::from_json(&entry.value).ok()).filter(move |pod| on(node, pod))
}

fn on(node: &str, pod: &Object) -> bool {
    pod.text(&["spec", "nodeName"]) == node
}

fn account(pod: &Object) -> &str {
    pod.text(&["spec", "serviceAccountName"])
}
