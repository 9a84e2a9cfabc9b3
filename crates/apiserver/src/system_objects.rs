//! What every cluster has from its first moment: namespaces, default roles and their
//! bindings. Data; the bootstrap master creates what is missing.

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;

const RBAC: &str = "rbac.authorization.k8s.io";
const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// Namespaced kinds that `view` does not show, and `edit` does not change.
const NOT_VIEWED: &[&str] = &["secrets", "roles", "rolebindings"];
const NOT_EDITED: &[&str] =
    &["roles", "rolebindings", "resourcequotas", "limitranges", "events", "endpoints", "endpointslices"];

/// All of them, in an order in which they can be created.
#[must_use]
pub fn all() -> Vec<Object> {
    let mut objects: Vec<Object> = NAMESPACES.iter().map(|name| namespace(name)).collect();
    objects.extend(roles());
    objects.extend(bindings());
    objects
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(map) => Object::from_map(map),
        other => unreachable!("a literal object: {other}"),
    }
}

fn namespace(name: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}

fn role(name: &str, rules: Vec<Value>) -> Object {
    object(json!({
        "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": metadata(name), "rules": rules,
    }))
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

fn urls(urls: &[&str]) -> Value {
    json!({"nonResourceURLs": urls, "verbs": ["get"]})
}

fn roles() -> Vec<Object> {
    let self_reviews = rule(
        &["authorization.k8s.io"],
        &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        &["create"],
    );
    let who_am_i = rule(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]);
    let reviews_of_others = rule(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]);
    let token_reviews = rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"]);
    vec![
        role(
            "cluster-admin",
            vec![rule(&["*"], &["*"], &["*"]), json!({"nonResourceURLs": ["*"], "verbs": ["*"]})],
        ),
        aggregating("admin", &["edit", "view", "admin"], admin_rules()),
        aggregating("edit", &["view", "edit"], edit_rules()),
        aggregating("view", &["view"], view_rules()),
        role(
            "system:discovery",
            vec![urls(&[
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/healthz",
                "/livez",
                "/openapi",
                "/openapi/*",
                "/readyz",
                "/version",
            ])],
        ),
        role("system:public-info-viewer", vec![urls(&["/healthz", "/livez", "/readyz", "/version"])]),
        role("system:basic-user", vec![self_reviews, who_am_i]),
        role("system:auth-delegator", vec![reviews_of_others, token_reviews]),
        role("system:node", node_rules()),
        role("system:node-proxier", proxy_rules()),
        role("system:ingress", ingress_rules()),
        role("system:kube-dns", dns_rules()),
    ]
}

/// What the proxy's pods read, and the events they write.
fn proxy_rules() -> Vec<Value> {
    vec![
        rule(&[""], &["services", "nodes"], READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], READ),
        rule(&["", "events.k8s.io"], &["events"], &["create", "patch", "update"]),
    ]
}

/// What the ingress's pods read. They write nothing: events and the status of Ingresses are
/// the leader's.
fn ingress_rules() -> Vec<Value> {
    vec![
        rule(&["networking.k8s.io"], &["ingresses", "ingressclasses"], READ),
        rule(&[""], &["services", "secrets"], READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], READ),
    ]
}

/// What the DNS servers' pods read.
fn dns_rules() -> Vec<Value> {
    vec![
        rule(&[""], &["namespaces", "services"], READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], READ),
    ]
}

/// A role that takes in every ClusterRole with one of the labels `…/aggregate-to-X`.
fn aggregating(name: &str, from: &[&str], rules: Vec<Value>) -> Object {
    let selectors: Vec<Value> = from
        .iter()
        .map(|name| json!({"matchLabels": {format!("{RBAC}/aggregate-to-{name}"): "true"}}))
        .collect();
    let mut role = role(name, rules);
    role.set(&["aggregationRule"], json!({"clusterRoleSelectors": selectors}));
    role
}

/// One rule a row, so that every namespaced kind of the table is covered.
fn rules_for(wanted: impl Fn(&Resource) -> bool, verbs: &[&str], subresources: &[&str]) -> Vec<Value> {
    let rows = table::all().iter().filter(|row| row.namespaced && wanted(row));
    rows.map(|row| {
        let mut resources = vec![row.plural.to_owned()];
        let found = row.subresources.iter().filter(|name| subresources.contains(name));
        resources.extend(found.map(|name| format!("{}/{name}", row.plural)));
        json!({"apiGroups": [row.group], "resources": resources, "verbs": verbs})
    })
    .collect()
}

fn view_rules() -> Vec<Value> {
    let mut rules = rules_for(|row| !NOT_VIEWED.contains(&row.plural), READ, &["status", "scale", "log"]);
    rules.push(rule(&[""], &["namespaces", "namespaces/status"], READ));
    rules
}

fn edit_rules() -> Vec<Value> {
    let mut rules = view_rules();
    rules.push(rule(&[""], &["secrets"], READ));
    rules.extend(rules_for(
        |row| !NOT_EDITED.contains(&row.plural),
        WRITE,
        &["scale", "eviction", "token", "attach", "exec", "portforward"],
    ));
    rules.push(rule(&[""], &["pods/attach", "pods/exec", "pods/portforward"], &["get"]));
    rules
}

fn admin_rules() -> Vec<Value> {
    let mut rules = edit_rules();
    let verbs: Vec<&str> = READ.iter().chain(WRITE).copied().collect();
    rules.push(rule(&[RBAC], &["roles", "rolebindings"], &verbs));
    rules.push(rule(&["authorization.k8s.io"], &["localsubjectaccessreviews"], &["create"]));
    rules
}

/// For information, as in Kubernetes: nobody is bound to it. What a node agent may do is
/// decided by the node authoriser, object by object.
fn node_rules() -> Vec<Value> {
    vec![
        rule(&[""], &["nodes", "services"], READ),
        rule(&["discovery.k8s.io"], &["endpointslices"], READ),
        rule(&[""], &["nodes"], &["create", "patch", "update"]),
        rule(&[""], &["nodes/status", "pods/status"], &["patch", "update"]),
        rule(&[""], &["pods"], &["get", "list", "watch", "delete"]),
        rule(&[""], &["configmaps", "secrets"], READ),
        rule(&[""], &["serviceaccounts/token"], &["create"]),
        rule(&["", "events.k8s.io"], &["events"], &["create", "patch", "update"]),
        rule(&["coordination.k8s.io"], &["leases"], &["create", "get", "patch", "update"]),
    ]
}

fn bindings() -> Vec<Object> {
    let group = |name: &str| json!({"kind": "Group", "apiGroup": RBAC, "name": name});
    let authenticated = || group(crate::AUTHENTICATED_GROUP);
    let account = |name: &str| json!({"kind": "ServiceAccount", "namespace": "kube-system", "name": name});
    [
        ("cluster-admin", group(crate::MASTERS_GROUP)),
        ("system:discovery", authenticated()),
        ("system:public-info-viewer", authenticated()),
        ("system:basic-user", authenticated()),
        ("system:node-proxier", account("kube-proxy")),
        ("system:ingress", account("ingress")),
        ("system:kube-dns", account("kube-dns")),
    ]
    .into_iter()
    .map(|(name, subject)| {
        object(json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding", "metadata": metadata(name),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}, "subjects": [subject],
        }))
    })
    .collect()
}
