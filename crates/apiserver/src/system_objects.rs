//! What every cluster has from its first moment: namespaces, default roles and their
//! bindings, named as Kubernetes names them.

use serde_json::{Value, json};
use xebec_api::object::Object;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Everything, in an order in which it can be created.
#[must_use]
pub fn all() -> Vec<Object> {
    let mut objects: Vec<Value> = Vec::new();
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    let read = json!(["get", "list", "watch"]);
    let write = json!(["create", "delete", "deletecollection", "patch", "update"]);
    let workloads = json!([
        {"apiGroups": ["apps", "batch", "autoscaling", "policy", "networking.k8s.io"], "resources": ["*"], "verbs": "VERBS"},
        {"apiGroups": [""], "resources": ["pods", "pods/log", "services", "endpoints", "configmaps", "events",
            "persistentvolumeclaims", "replicationcontrollers", "serviceaccounts"], "verbs": "VERBS"},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]},
    ]);
    let with_verbs = |verbs: &Value| {
        let mut rules = workloads.clone();
        for rule in rules.as_array_mut().into_iter().flatten().filter(|rule| rule["verbs"] == "VERBS") {
            rule["verbs"] = verbs.clone();
        }
        rules
    };
    let namespaces = json!({"apiGroups": [""], "resources": ["namespaces"], "verbs": read});
    let secrets = json!({"apiGroups": [""], "resources": ["secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/eviction"],
        "verbs": ["get", "list", "watch", "create", "delete", "patch", "update"]});
    let mut view = with_verbs(&read);
    let mut edit = with_verbs(&json!(
        [read.as_array(), write.as_array()].into_iter().flatten().flatten().collect::<Vec<_>>()
    ));
    push(&mut view, &namespaces);
    push(&mut edit, &namespaces);
    push(&mut edit, &secrets);
    let mut admin = edit.clone();
    push(&mut admin, &json!({"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": ["*"]}));
    objects.push(cluster_role(
        "cluster-admin",
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
    ));
    objects.push(cluster_role("admin", admin));
    objects.push(cluster_role("edit", edit));
    objects.push(cluster_role("view", view));
    objects.push(cluster_role(
        "system:node-proxier",
        json!([
            {"apiGroups": [""], "resources": ["services", "endpoints", "nodes"], "verbs": read},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
            {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]},
        ]),
    ));
    objects.push(binding(
        "cluster-admin",
        "cluster-admin",
        json!({"kind": "Group", "name": "system:masters", "apiGroup": RBAC}),
    ));
    let proxy = json!({"kind": "ServiceAccount", "name": "kube-proxy", "namespace": "kube-system"});
    objects.push(binding("system:node-proxier", "system:node-proxier", proxy));
    objects.into_iter().map(object).collect()
}

fn push(rules: &mut Value, rule: &Value) {
    rules.as_array_mut().expect("rules are a list").push(rule.clone());
}

fn cluster_role(name: &str, rules: Value) -> Value {
    json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": metadata(name), "rules": rules})
}

fn binding(name: &str, role: &str, subject: Value) -> Value {
    json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding", "metadata": metadata(name),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}, "subjects": [subject],
    })
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}})
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(map) => Object::from_map(map),
        other => unreachable!("a literal map: {other}"),
    }
}
