//! Who may do what: tables of users and requests.

use serde_json::{Value, json};
use xebec_api::error::Reason;
use xebec_api::object::Object;
use xebec_api::table;

use super::{Api, admin, api, object, pod, target, user};
use crate::{AUTHENTICATED_GROUP, Attributes, Binding, RequestContext, Target};

const RBAC: &str = "rbac.authorization.k8s.io";

async fn put(api: &Api, value: Value) {
    let object = object(value);
    let target = Target::of(&object).expect("a kind");
    api.0.create(&admin(), &target, object).await.expect("created");
}

fn role(kind: &str, name: &str, rules: Value) -> Value {
    let mut role =
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name}, "rules": rules});
    if kind == "Role" {
        role["metadata"]["namespace"] = "default".into();
    }
    role
}

fn binding(kind: &str, name: &str, role: (&str, &str), subject: Value) -> Value {
    let reference = json!({"apiGroup": RBAC, "kind": role.0, "name": role.1});
    let mut binding = json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": {"name": name},
        "roleRef": reference, "subjects": [subject]});
    if kind == "RoleBinding" {
        binding["metadata"]["namespace"] = "default".into();
    }
    binding
}

fn person(name: &str) -> Value {
    json!({"kind": "User", "apiGroup": RBAC, "name": name})
}

/// `verb group/resource namespace name [fields]`, `-` for nothing.
fn may(api: &Api, context: &RequestContext, request: &str) -> bool {
    let words: Vec<&str> = request.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
    let (group, resource) = words[1].split_once(':').unwrap_or(("", words[1]));
    let attributes = Attributes {
        verb: words[0],
        group,
        resource,
        namespace: words[2],
        name: words[3],
        field_selector: words.get(4).copied().unwrap_or_default(),
        ..Attributes::default()
    };
    api.0.authorizer().allows(&api.0.state(), &context.user, &attributes)
}

fn check(api: &Api, context: &RequestContext, table: &[(&str, bool)]) {
    let wrong: Vec<_> =
        table.iter().filter(|(request, wanted)| may(api, context, request) != *wanted).collect();
    assert!(wrong.is_empty(), "{} was decided otherwise: {wrong:?}", context.user.name);
}

#[tokio::test]
async fn roles_reach_as_far_as_their_bindings() {
    let api = api().await;
    let rules = json!([
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"], "resourceNames": ["mine"]},
        {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["update"]},
    ]);
    put(&api, role("Role", "r", rules.clone())).await;
    put(&api, binding("RoleBinding", "r", ("Role", "r"), person("jane"))).await;
    put(&api, role("ClusterRole", "c", rules)).await;
    put(&api, binding("ClusterRoleBinding", "c", ("ClusterRole", "c"), person("joe"))).await;
    put(
        &api,
        binding(
            "RoleBinding",
            "v",
            ("ClusterRole", "view"),
            json!({"kind": "Group", "apiGroup": RBAC, "name": "viewers"}),
        ),
    )
    .await;
    put(
        &api,
        binding(
            "RoleBinding",
            "e",
            ("ClusterRole", "edit"),
            json!({"kind": "ServiceAccount", "name": "bot", "namespace": "default"}),
        ),
    )
    .await;
    put(&api, binding("ClusterRoleBinding", "none", ("ClusterRole", "missing"), person("jane"))).await;

    check(
        &api,
        &user("jane", &[]),
        &[
            ("get pods default a", true),
            ("get pods/log default a", true),
            ("get pods/exec default a", false),
            ("watch pods default -", false),
            ("list pods default -", true),
            ("list pods - -", false),
            ("get pods kube-system a", false),
            ("delete configmaps default mine", true),
            ("delete configmaps default yours", false),
            ("list configmaps default -", false),
            ("list configmaps default - metadata.name=mine", true),
            ("update apps:deployments/scale default a", true),
            ("update apps:deployments default a", false),
            ("get apps:pods default a", false),
        ],
    );
    check(
        &api,
        &user("joe", &[]),
        &[("list pods - -", true), ("get pods kube-system a", true), ("create pods default -", false)],
    );
    check(
        &api,
        &user("ann", &["viewers"]),
        &[
            ("list pods default -", true),
            ("list apps:deployments default -", true),
            ("list secrets default -", false),
            ("get rbac.authorization.k8s.io:roles default a", false),
            ("create pods default -", false),
            ("list pods kube-system -", false),
        ],
    );
    check(
        &api,
        &user("system:serviceaccount:default:bot", &["system:serviceaccounts"]),
        &[
            ("create apps:deployments default -", true),
            ("get secrets default a", true),
            ("create pods/exec default a", true),
            ("create rbac.authorization.k8s.io:rolebindings default -", false),
            ("update resourcequotas default a", false),
        ],
    );
    check(
        &api,
        &user("nobody", &["system:authenticated"]),
        &[("get pods default a", false), ("create authorization.k8s.io:selfsubjectaccessreviews - -", true)],
    );
    check(&api, &admin(), &[("anything at:all everywhere x", true)]);
    let proxy = user("system:serviceaccount:kube-system:kube-proxy", &[]);
    check(
        &api,
        &proxy,
        &[
            ("watch services - -", true),
            ("list discovery.k8s.io:endpointslices - -", true),
            ("get nodes - n1", true),
            ("list pods - -", false),
            ("get secrets kube-system a", false),
        ],
    );
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_at_once() {
    let api = api().await;
    put(&api, binding("RoleBinding", "v", ("ClusterRole", "view"), person("jane"))).await;
    let jane = user("jane", &[]);
    assert!(may(&api, &jane, "list pods default -"));
    api.create("configmaps", super::config_map("unrelated", "1")).await;
    assert!(may(&api, &jane, "list pods default -"));
    let row = table::resolve("rolebindings").expect("a kind");
    api.0
        .delete(&admin(), &Target::object(row, "default", "v"), &crate::DeleteOptions::default())
        .await
        .expect("deleted");
    assert!(!may(&api, &jane, "list pods default -"));
    let aggregated = json!([{"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["list"]}]);
    let mut aggregated = role("ClusterRole", "things", aggregated);
    aggregated["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    put(&api, binding("RoleBinding", "v", ("ClusterRole", "view"), person("jane"))).await;
    assert!(!may(&api, &jane, "list example.com:things default -"));
    put(&api, aggregated).await;
    assert!(may(&api, &jane, "list example.com:things default -"), "view takes it in");
}

#[tokio::test]
async fn nobody_grants_what_they_do_not_have() {
    let api = api().await;
    put(&api, binding("RoleBinding", "a", ("ClusterRole", "admin"), person("jane"))).await;
    let jane = user("jane", &[]);
    let roles = target("roles", "");
    let make = async |value: Value| {
        let object = object(value);
        let target = Target::collection(Target::of(&object).expect("a kind").row, "default");
        api.0.create(&jane, &target, object).await.map_err(|error| error.message)
    };
    let fine = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "delete"]}]);
    make(role("Role", "fine", fine)).await.expect("an admin has that");
    make(binding("RoleBinding", "fine", ("ClusterRole", "edit"), person("joe")))
        .await
        .expect("an admin has that");
    let nodes = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]);
    let message = make(role("Role", "nodes", nodes)).await.expect_err("an admin of a namespace has no nodes");
    assert!(
        message.ends_with(
            "is attempting to grant RBAC permissions not currently held: get nodes in API group \"\""
        ),
        "{message}"
    );
    let all = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    assert!(make(role("Role", "all", all)).await.is_err());
    assert!(
        make(binding("RoleBinding", "all", ("ClusterRole", "cluster-admin"), person("jane"))).await.is_err()
    );
    assert!(make(binding("RoleBinding", "lost", ("Role", "missing"), person("jane"))).await.is_err());
    let more = crate::Patch::Merge(
        json!({"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]}),
    );
    let fine = Target { name: "fine".into(), ..roles };
    let error = api.0.patch(&jane, &fine, &more).await.expect_err("nor by a change");
    assert_eq!(error.reason, Reason::Forbidden);
}

/// Pod `mine` runs on n1 as `runner` and names things; pod `other` runs on n2.
async fn two_nodes() -> Api {
    let api = api().await;
    for node in ["n1", "n2"] {
        api.create("nodes", object(json!({"metadata": {"name": node}}))).await;
    }
    api.create("serviceaccounts", object(json!({"metadata": {"name": "runner"}}))).await;
    let mut mine = pod("mine");
    mine.set(&["spec", "serviceAccountName"], "runner");
    mine.set(&["spec", "imagePullSecrets"], json!([{"name": "pull"}]));
    mine.set(&["spec", "volumes"], json!([
        {"name": "s", "secret": {"secretName": "volume"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "config"}}]}},
    ]));
    let env = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}}]);
    let from = json!([{"configMapRef": {"name": "from"}}]);
    mine.set(&["spec", "containers"], json!([{"name": "c", "image": "i", "env": env, "envFrom": from}]));
    api.create("pods", mine).await;
    api.create("pods", pod("other")).await;
    let bind = |name: &str, node: &str| Binding {
        namespace: "default".into(),
        name: name.into(),
        uid: String::new(),
        node: node.into(),
    };
    for outcome in api.0.bind_many(&admin(), &[bind("mine", "n1"), bind("other", "n2")]).await {
        outcome.expect("bound");
    }
    api
}

#[tokio::test]
async fn a_node_touches_only_what_is_its_own() {
    let api = two_nodes().await;
    let table: &[(&str, bool)] = &[
        ("get nodes - n1", true),
        ("list nodes - -", true),
        ("update nodes - n1", true),
        ("update nodes - n2", false),
        ("delete nodes - n1", false),
        ("patch nodes/status - n1", true),
        ("patch nodes/status - n2", false),
        ("list pods - - spec.nodeName=n1", true),
        ("watch pods - - spec.nodeName=n1", true),
        ("watch pods - - spec.nodeName=n2", false),
        ("list pods default -", false),
        ("get pods default mine", true),
        ("get pods default other", false),
        ("get pods default gone", true),
        ("patch pods/status default gone", true),
        ("create pods/eviction default mine", true),
        ("create pods/eviction default other", false),
        ("create pods default -", false),
        ("update pods default mine", false),
        ("patch pods/status default mine", true),
        ("update pods/status default other", false),
        ("delete pods default mine", true),
        ("delete pods default other", false),
        ("create pods/binding default mine", false),
        ("create pods/exec default mine", false),
        ("get secrets default volume", true),
        ("get secrets default projected", true),
        ("get secrets default env", true),
        ("get secrets default pull", true),
        ("get secrets default config", false),
        ("get secrets default else", false),
        ("get secrets kube-system volume", false),
        ("list secrets default -", false),
        ("watch secrets default - metadata.name=volume", true),
        ("update secrets default volume", false),
        ("get configmaps default config", true),
        ("get configmaps default from", true),
        ("get configmaps default kube-root-ca.crt", true),
        ("get configmaps kube-system kube-root-ca.crt", false),
        ("get configmaps default volume", false),
        ("create serviceaccounts/token default runner", true),
        ("create serviceaccounts/token default default", false),
        ("watch services - -", true),
        ("watch discovery.k8s.io:endpointslices - -", true),
        ("create events default -", true),
        ("patch events default a", true),
        ("delete events default a", false),
        ("update coordination.k8s.io:leases kube-node-lease n1", true),
        ("update coordination.k8s.io:leases kube-node-lease n2", false),
        ("get coordination.k8s.io:leases default n1", false),
        ("list apps:deployments - -", false),
        ("create rbac.authorization.k8s.io:clusterrolebindings - -", false),
    ];
    check(&api, &user("system:node:n1", &["system:nodes"]), table);
    let refused: Vec<_> = table.iter().map(|(request, _)| (*request, false)).collect();
    check(&api, &user("system:node:n1", &["others"]), &refused);
    check(&api, &user("n1", &["system:nodes"]), &refused);
}

#[tokio::test]
async fn a_node_registers_itself_and_keeps_its_taints() {
    let api = two_nodes().await;
    let node = user("system:node:n3", &["system:nodes"]);
    let register = |name: &str| {
        object(json!({"metadata": {"name": name}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.3"}]}}))
    };
    let error = api.0.create(&node, &target("nodes", ""), register("n4")).await.expect_err("another node");
    assert_eq!(error.reason, Reason::Forbidden);
    let made = api.0.create(&node, &target("nodes", ""), register("n3")).await.expect("itself");
    assert_eq!(made.get(&["status", "addresses"]).and_then(Value::as_array).map(Vec::len), Some(1));
    let patch = |value: Value| crate::Patch::Merge(value);
    let own = target("nodes", "n3");
    api.0
        .patch(&node, &own, &patch(json!({"metadata": {"labels": {"a": "b"}}})))
        .await
        .expect("a label of its own");
    for forbidden in [
        json!({"spec": {"taints": null}}),
        json!({"metadata": {"labels": {"node-restriction.kubernetes.io/a": "b"}}}),
    ] {
        let error = api.0.patch(&node, &own, &patch(forbidden)).await.expect_err("restricted");
        assert_eq!(error.reason, Reason::Forbidden);
    }
}

/// As Kubernetes: a Namespace is asked for within itself.
#[tokio::test]
async fn a_role_in_a_namespace_gives_rights_to_the_namespace_itself() {
    let api = api().await;
    let rules = json!([{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]);
    put(&api, role("Role", "r", rules)).await;
    put(&api, binding("RoleBinding", "r", ("Role", "r"), person("jane"))).await;
    let (jane, row) = (user("jane", &[]), table::resolve("namespaces").expect("a kind"));
    let own = Target::object(row, "", "default");
    assert_eq!(api.0.get(&jane, &own).await.expect("its own").name(), "default");
    assert!(api.0.get(&jane, &own.clone().subresource("status")).await.is_ok());
    let label = crate::Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    assert!(api.0.patch(&jane, &own, &label).await.is_ok());
    let other = Target::object(row, "", "kube-system");
    assert_eq!(
        api.0.get(&jane, &other).await.expect_err("another").message,
        "namespaces \"kube-system\" is forbidden: User \"jane\" cannot get resource \"namespaces\" in API group \"\" in the namespace \"kube-system\""
    );
    let (all, body) = (Target::collection(row, ""), object(json!({"metadata": {"name": "default"}})));
    let list = api.0.list(&jane, &all, &crate::ListOptions::default()).await;
    assert_eq!(list.expect_err("all of them").reason, Reason::Forbidden);
    for made in [all, own] {
        let refused =
            api.0.create(&jane, &made, body.clone()).await.expect_err("not there before it is made");
        assert_eq!(refused.reason, Reason::Forbidden, "{}", refused.message);
    }
}

#[tokio::test]
async fn a_refusal_names_everything() {
    let api = api().await;
    let jane = user("jane", &[]);
    let seen = async |target: Target| api.0.get(&jane, &target).await.expect_err("refused").message;
    let deployment = Target::object(table::resolve("deployments").expect("a kind"), "default", "web");
    assert_eq!(
        seen(deployment).await,
        "deployments.apps \"web\" is forbidden: User \"jane\" cannot get resource \"deployments\" in API group \"apps\" in the namespace \"default\""
    );
    assert_eq!(
        seen(target("nodes", "n1")).await,
        "nodes \"n1\" is forbidden: User \"jane\" cannot get resource \"nodes\" in API group \"\" at the cluster scope"
    );
    let body: Object = pod("web");
    assert!(api.0.create(&jane, &target("pods", ""), body).await.is_err());
}

/// A refusal asks the leader, and is decided before flow control sees the request.
#[tokio::test(start_paused = true)]
async fn who_is_refused_often_waits_alone() {
    let api = api().await;
    let [eve, jane] = ["eve", "jane"].map(|name| user(name, &[AUTHENTICATED_GROUP]));
    let secret = Attributes::new("get", "", "secrets", "default", "x");
    let mut held = Vec::new();
    for _ in 0..api.0.settings().max_in_flight / 4 {
        held.push(api.0.flow().reconsider(&eve).await.expect("a place of her share"));
    }
    let told =
        async |who: &RequestContext| api.0.check_access(who, &secret).await.expect_err("refused").reason;
    assert_eq!(told(&eve).await, Reason::TooManyRequests);
    assert_eq!(told(&jane).await, Reason::Forbidden, "others are told at once");
    let discovery = api.0.check_access(&eve, &Attributes::of_path("get", "/api")).await;
    assert!(discovery.is_ok(), "what she may do needs no second decision");
    held.clear();
    assert_eq!(told(&eve).await, Reason::Forbidden);
}
