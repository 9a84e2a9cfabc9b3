//! The verbs, step by step, on a store in memory.

use std::time::Duration;

use futures::StreamExt;
use serde_json::json;
use xebec_api::error::Reason;
use xebec_api::table;

use super::{admin, api, config_map, object, pod, target, user};
use crate::{Binding, DeleteOptions, ListOptions, Patch, Target, WatchKind, WatchOptions};

#[tokio::test]
async fn a_write_names_the_version_it_changes() {
    let api = api().await;
    let first = api.create("configmaps", config_map("a", "1")).await;
    let mut second = first.clone();
    second.set(&["data", "key"], "2");
    let target = target("configmaps", "a");
    let second = api.0.update(&admin(), &target, second).await.expect("it is the newest");
    assert_ne!(first.resource_version(), second.resource_version());
    let error = api.0.update(&admin(), &target, first).await.expect_err("somebody was faster");
    assert_eq!(error.reason, Reason::Conflict);
    let blind = config_map("a", "3");
    let third = api.0.update(&admin(), &target, blind).await.expect("no version, no conflict");
    assert_eq!(third.uid(), second.uid());
    let same = api.0.update(&admin(), &target, third.clone()).await.expect("nothing to do");
    assert_eq!(same.resource_version(), third.resource_version(), "nothing changed, nothing is written");
}

#[tokio::test]
async fn a_pod_names_a_service_account_that_is_there() {
    let api = api().await;
    let mut runner = pod("web");
    runner.set(&["spec", "serviceAccountName"], "bot");
    let refused = api.0.create(&admin(), &target("pods", ""), runner.clone()).await.expect_err("nobody");
    let why = "pods \"web\" is forbidden: error looking up service account default/bot: serviceaccount \"bot\" not found";
    assert_eq!((refused.reason, refused.message.as_str()), (Reason::Forbidden, why));
    let secrets = json!([{"name": "registry"}]);
    let bot = json!({"metadata": {"name": "bot"}, "imagePullSecrets": secrets});
    api.create("serviceaccounts", object(bot)).await;
    let made = api.create("pods", runner.clone()).await;
    assert_eq!(made.get(&["spec", "imagePullSecrets"]), Some(&secrets), "its account's");
    runner.set(&["metadata", "name"], "other");
    runner.set(&["spec", "imagePullSecrets"], json!([{"name": "own"}]));
    let made = api.create("pods", runner).await;
    assert_eq!(made.get(&["spec", "imagePullSecrets"]), Some(&json!([{"name": "own"}])));
}

#[tokio::test]
async fn pods_get_and_keep_to_the_limits_of_their_namespace() {
    let api = api().await;
    let limits = json!([{"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "1"}}]);
    api.create("limitranges", object(json!({"metadata": {"name": "l"}, "spec": {"limits": limits}}))).await;
    let made = api.create("pods", pod("web")).await;
    let resources = json!({"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}});
    assert_eq!(made.get(&["spec", "containers"]).expect("containers")[0]["resources"], resources);
    assert_eq!(made.text(&["status", "qosClass"]), "Burstable", "of what it was given");
    let tolerated =
        json!([{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}]);
    assert_eq!(made.get(&["spec", "tolerations"]), Some(&tolerated));
    let told = made.annotation("kubernetes.io/limit-ranger");
    assert_eq!(told, Some("LimitRanger plugin set: cpu request for container a; cpu limit for container a"));
    let mut greedy = pod("greedy");
    let asked = json!([{"name": "a", "image": "b", "resources": {"limits": {"cpu": "2"}}}]);
    greedy.set(&["spec", "containers"], asked);
    let refused = api.0.create(&admin(), &target("pods", ""), greedy).await.expect_err("too much");
    let why = "pods \"greedy\" is forbidden: maximum cpu usage per Container is 1, but limit is 2".to_owned();
    assert_eq!((refused.reason, refused.message), (Reason::Forbidden, why));
    api.patch(&target("pods", "web"), json!({"metadata": {"labels": {"a": "b"}}})).await;
}

#[tokio::test]
async fn a_quota_is_kept_also_by_writes_at_once() {
    let api = api().await;
    let hard = json!({"pods": "2", "limits.cpu": "1", "count/deployments.apps": "0"});
    api.create("resourcequotas", object(json!({"metadata": {"name": "q"}, "spec": {"hard": hard}}))).await;
    let create = async |name: &str| {
        let mut asked = pod(name);
        let container = json!([{"name": "a", "image": "b", "resources": {"limits": {"cpu": "300m"}}}]);
        asked.set(&["spec", "containers"], container);
        api.0.create(&admin(), &target("pods", ""), asked).await
    };
    create("first").await.expect("there is room");
    let (second, third) = tokio::join!(create("second"), create("third"));
    // There is room for whichever comes first, and not for two.
    let (made, late, refused) = match (second, third) {
        (Ok(_), Err(refused)) => ("second", "third", refused),
        (Err(refused), Ok(_)) => ("third", "second", refused),
        _ => panic!("there is room for one"),
    };
    let why = format!(
        "pods \"{late}\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
    );
    assert_eq!((refused.reason, refused.message), (Reason::Forbidden, why));
    let told = api.0.get(&admin(), &target("resourcequotas", "q")).await.expect("a quota");
    let used = json!({"pods": "2", "limits.cpu": "600m", "count/deployments.apps": "0"});
    assert_eq!(told.get(&["status"]), Some(&json!({"hard": hard, "used": used})));
    api.0.delete(&admin(), &target("pods", made), &DeleteOptions::default()).await.expect("gone");
    let silent =
        api.0.create(&admin(), &target("pods", ""), pod("silent")).await.expect_err("it says nothing");
    let why = "pods \"silent\" is forbidden: failed quota: q: must specify limits.cpu for: a";
    assert_eq!((silent.reason, silent.message.as_str()), (Reason::Forbidden, why));
    create("fourth").await.expect("there is room again");
    api.patch(&target("pods", "fourth"), json!({"metadata": {"labels": {"a": "b"}}})).await;

    let template =
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template});
    let deployment = object(json!({"metadata": {"name": "web"}, "spec": spec}));
    let refused =
        api.0.create(&admin(), &target("deployments", ""), deployment).await.expect_err("none may be");
    let why = "deployments.apps \"web\" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, \
               used: count/deployments.apps=0, limited: count/deployments.apps=0";
    assert_eq!(refused.message, why);
}

#[tokio::test]
async fn an_ingress_without_a_class_gets_the_default_one_for_good() {
    let api = api().await;
    let class = async |name: &str, default: &str| {
        let annotations = json!({"ingressclass.kubernetes.io/is-default-class": default});
        let class =
            json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"controller": "x.io/c"}});
        api.create("ingressclasses", object(class)).await
    };
    let made = async |name: &str, metadata: &str| {
        let mut ingress = object(json!({"metadata": {"name": name}}));
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        ingress.set(&["spec", "defaultBackend"], backend);
        if !metadata.is_empty() {
            ingress.set(&["metadata", "annotations", "kubernetes.io/ingress.class"], metadata);
        }
        api.create("ingresses", ingress).await.text(&["spec", "ingressClassName"]).to_owned()
    };
    class("other", "false").await;
    assert_eq!(made("none", "").await, "");
    class("b", "true").await;
    class("a", "true").await;
    assert_eq!([made("one", "").await, made("old", "b").await], ["a", ""]);
    let whole = api.patch(&target("ingresses", "none"), json!({"metadata": {"labels": {"a": "b"}}})).await;
    assert_eq!(whole.get(&["spec", "ingressClassName"]), None, "what is there stays as it is");
}

#[tokio::test]
async fn a_pod_has_the_priority_of_its_class_or_of_the_default() {
    let api = api().await;
    let of = |name: &str, class: &str| {
        let mut pod = pod(name);
        pod.set(&["spec", "priorityClassName"], class);
        pod
    };
    let refused = async |pod| api.0.create(&admin(), &target("pods", ""), pod).await.expect_err("no").message;
    let class = |name: &str, value: i64, default: bool| {
        object(json!({"metadata": {"name": name}, "value": value, "globalDefault": default,
            "preemptionPolicy": "Never"}))
    };
    let said = |pod: &xebec_api::object::Object| {
        let field = |name: &str| pod.get(&["spec", name]).cloned().unwrap_or_default();
        json!([field("priorityClassName"), field("priority"), field("preemptionPolicy")]).to_string()
    };
    assert_eq!(said(&api.create("pods", pod("plain")).await), "[null,null,null]");
    let found = api.create("pods", of("dns", "system-cluster-critical")).await;
    assert_eq!(said(&found), r#"["system-cluster-critical",2000000000,null]"#);
    let why = "pods \"web\" is forbidden: no PriorityClass with name high was found";
    assert_eq!(refused(of("web", "high")).await, why);
    api.create("priorityclasses", class("high", 1000, false)).await;
    let made = api.create("pods", of("web", "high")).await;
    assert_eq!(said(&made), r#"["high",1000,"Never"]"#);
    // Its manifest says nothing of the number.
    let again =
        api.0.update(&admin(), &target("pods", "web"), of("web", "high")).await.expect("nothing changed");
    assert_eq!(said(&again), said(&made));
    let mut own = of("own", "high");
    own.set(&["spec", "priority"], 7);
    let why = "pods \"own\" is forbidden: the integer value of priority (7) must not be provided in pod spec; \
               priority admission controller computed 1000 from the given PriorityClass name";
    assert_eq!(refused(own).await, why);
    for (name, value) in [("usual", 5), ("less", 3)] {
        api.create("priorityclasses", class(name, value, true)).await;
    }
    assert_eq!(said(&api.create("pods", pod("other")).await), r#"["less",3,"Never"]"#);
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let api = api().await;
    let mut with_status = pod("web");
    with_status.set(&["status", "phase"], "Running");
    let created = api.create("pods", with_status).await;
    assert_ne!(created.text(&["status", "phase"]), "Running", "a creator does not set the status");
    let status = target("pods", "web").subresource("status");
    let patched =
        api.patch(&status, json!({"status": {"phase": "Running"}, "metadata": {"labels": {"x": "y"}}})).await;
    assert_eq!(patched.text(&["status", "phase"]), "Running");
    assert_eq!(patched.labels().count(), 0, "a status write touches nothing else");
    assert_eq!(patched.generation(), 1);
    let main = api.patch(&target("pods", "web"), json!({"status": {"phase": "Failed"}})).await;
    assert_eq!(main.text(&["status", "phase"]), "Running", "a main write keeps the status");
}

#[tokio::test]
async fn a_strategic_patch_merges_lists_by_their_keys() {
    let api = api().await;
    let strategic =
        async |target: &Target, patch| api.0.patch(&admin(), target, &Patch::Strategic(patch)).await;
    api.create("pods", pod("web")).await;
    let image = json!({"spec": {"containers": [{"name": "a", "image": "c"}]}});
    let patched = strategic(&target("pods", "web"), image).await.expect("patched");
    assert_eq!(patched.get(&["spec", "containers"]).expect("containers")[0]["image"], "c");
    let again = strategic(&target("pods", "web"), json!({"metadata": {"finalizers": ["x.io/a"]}})).await;
    let finalizers = strategic(&target("pods", "web"), json!({"metadata": {"finalizers": ["x.io/b"]}})).await;
    assert_ne!(again.expect("patched").resource_version(), patched.resource_version());
    let finalizers = finalizers.expect("patched");
    assert_eq!(finalizers.get(&["metadata", "finalizers"]), Some(&json!(["x.io/b", "x.io/a"])));

    let status = target("pods", "web").subresource("status");
    for (kind, wanted) in [("Ready", 1), ("Initialized", 2), ("Ready", 2)] {
        let condition = json!({"status": {"conditions": [{"type": kind, "status": "True"}]}});
        let patched = strategic(&status, condition).await.expect("patched");
        let conditions = patched.get(&["status", "conditions"]).and_then(|list| list.as_array());
        assert_eq!(conditions.map(Vec::len), Some(wanted), "{kind}");
    }

    let nameless = json!({"spec": {"containers": [{"image": "c"}]}});
    let error = strategic(&target("pods", "web"), nameless).await.expect_err("which one?");
    assert_eq!(error.reason, Reason::BadRequest);
    assert_eq!(
        error.message,
        "the patch cannot be applied: spec.containers[0]: name: Required value: it tells the items of this list apart"
    );
    let unknown = json!({"spec": {"contianers": [{"name": "a"}]}});
    let error = strategic(&target("pods", "web"), unknown).await.expect_err("misspelt");
    assert!(error.message.contains("spec.contianers: unknown field"), "{}", error.message);
}

#[tokio::test]
async fn a_bound_pod_is_stopped_before_it_goes() {
    let api = api().await;
    let created = api.create("pods", pod("web")).await;
    api.create("nodes", object(json!({"metadata": {"name": "n1"}}))).await;
    let binding = Binding {
        namespace: "default".into(),
        name: "web".into(),
        uid: created.uid().into(),
        node: "n1".into(),
    };
    let missing = Binding { name: "nobody".into(), ..binding.clone() };
    let outcomes = api.0.bind_many(&admin(), &[missing, binding.clone()]).await;
    assert_eq!(outcomes[0].as_ref().expect_err("no such pod").reason, Reason::NotFound);
    assert_eq!(outcomes[1], Ok(()));
    let again = api.0.bind_many(&admin(), &[binding]).await;
    assert_eq!(again[0].as_ref().expect_err("it has a node").reason, Reason::Conflict);

    let target = target("pods", "web");
    let leaving = api.0.delete(&admin(), &target, &DeleteOptions::default()).await.expect("marked");
    assert!(leaving.is_terminating());
    let gone = DeleteOptions { grace_seconds: Some(0), ..DeleteOptions::default() };
    api.0.delete(&admin(), &target, &gone).await.expect("removed");
    assert_eq!(api.0.get(&admin(), &target).await.expect_err("gone").reason, Reason::NotFound);
}

#[tokio::test]
async fn finalizers_hold_an_object_back() {
    let api = api().await;
    let mut held = config_map("held", "1");
    held.set(&["metadata", "finalizers"], json!(["example.com/wait"]));
    api.create("configmaps", held).await;
    let target = target("configmaps", "held");
    let leaving = api.0.delete(&admin(), &target, &DeleteOptions::default()).await.expect("marked");
    assert!(leaving.is_terminating());
    api.patch(&target, json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(api.0.get(&admin(), &target).await.expect_err("gone").reason, Reason::NotFound);
}

#[tokio::test]
async fn pages_show_one_revision() {
    let api = api().await;
    for name in ["a", "b", "c"] {
        api.create("configmaps", config_map(name, "old")).await;
    }
    let options = ListOptions { limit: 2, ..ListOptions::default() };
    let first = api.0.list(&admin(), &target("configmaps", ""), &options).await.expect("a page");
    assert_eq!(first.items.len(), 2);
    api.patch(&target("configmaps", "c"), json!({"data": {"key": "new"}})).await;
    api.create("configmaps", config_map("d", "new")).await;
    let options = ListOptions { continue_token: first.continue_token, ..options };
    let second = api.0.list(&admin(), &target("configmaps", ""), &options).await.expect("the next page");
    let seen: Vec<_> = second.items.iter().map(|o| (o.name(), o.text(&["data", "key"]))).collect();
    assert_eq!(
        (seen, second.revision, second.continue_token.as_str()),
        (vec![("c", "old")], first.revision, "")
    );
}

#[tokio::test]
async fn a_watch_goes_on_where_a_list_ended() {
    let api = api().await;
    api.create("configmaps", config_map("a", "web")).await;
    let page =
        api.0.list(&admin(), &target("configmaps", ""), &ListOptions::default()).await.expect("a list");
    let options = WatchOptions {
        label_selector: "app=web".into(),
        resource_version: page.revision.to_string(),
        timeout: Some(Duration::from_millis(50)),
        ..WatchOptions::default()
    };
    api.create("configmaps", config_map("other", "db")).await;
    let relabelled =
        api.patch(&target("configmaps", "other"), json!({"metadata": {"labels": {"app": "web"}}})).await;
    let left = api.patch(&target("configmaps", "a"), json!({"metadata": {"labels": {"app": "db"}}})).await;
    let stream = api.0.watch(&admin(), &target("configmaps", ""), &options).await.expect("a watch");
    let items: Vec<_> = stream.map(|item| item.expect("no error")).collect().await;
    let seen: Vec<_> = items.iter().map(|item| (item.kind, item.object.name(), item.revision)).collect();
    let revision = |object: &xebec_api::object::Object| object.resource_version().parse().expect("a number");
    let wanted =
        [(WatchKind::Added, "other", revision(&relabelled)), (WatchKind::Deleted, "a", revision(&left))];
    assert_eq!(seen, wanted);

    let future = WatchOptions { resource_version: "999999".into(), ..options };
    let error = api.0.watch(&admin(), &target("configmaps", ""), &future).await.err().expect("not reached");
    assert_eq!(error.reason, Reason::Timeout);
}

#[tokio::test]
async fn unknown_fields_change_nothing() {
    let api = api().await;
    let revision = api.0.store().state().revision();
    let mut wrong = config_map("a", "1");
    wrong.set(&["dta"], json!({}));
    let error = api.0.create(&admin(), &target("configmaps", ""), wrong).await.expect_err("refused");
    assert_eq!((error.reason, error.causes[0].field.as_str()), (Reason::Invalid, "dta"));
    let orphan = Target::object(table::resolve("configmaps").expect("a kind"), "nowhere", "");
    let error = api.0.create(&admin(), &orphan, config_map("a", "1")).await.expect_err("refused");
    assert_eq!(error.message, "namespaces \"nowhere\" not found");
    assert_eq!(api.0.store().state().revision(), revision);
}

#[tokio::test]
async fn service_addresses_are_given_once() {
    let api = api().await;
    let service = |name: &str, port: Option<u16>| {
        let mut port_spec = json!({"port": 80});
        if let Some(port) = port {
            port_spec["nodePort"] = port.into();
        }
        object(json!({"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": [port_spec]}}))
    };
    let one = api.create("services", service("one", None)).await;
    let two = api.create("services", service("two", Some(30_080))).await;
    assert!(one.text(&["spec", "clusterIP"]).starts_with("10.43."));
    assert_ne!(one.text(&["spec", "clusterIP"]), two.text(&["spec", "clusterIP"]));
    let taken = api.0.create(&admin(), &target("services", ""), service("three", Some(30_080))).await;
    assert!(taken.expect_err("taken").message.contains("provided port is already allocated"));
    api.0.delete(&admin(), &target("services", "two"), &DeleteOptions::default()).await.expect("deleted");
    api.create("services", service("three", Some(30_080))).await;
}

#[tokio::test]
async fn rights_come_from_roles_and_nodes_see_their_own() {
    let api = api().await;
    api.create("pods", pod("web")).await;
    api.create("secrets", object(json!({"metadata": {"name": "s"}}))).await;
    let nobody = user("nobody", &["system:authenticated"]);
    let error = api.0.get(&nobody, &target("pods", "web")).await.expect_err("no role");
    assert_eq!(
        error.message,
        "pods \"web\" is forbidden: User \"nobody\" cannot get resource \"pods\" in API group \"\" in the namespace \"default\""
    );
    let binding = json!({"metadata": {"name": "v"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
        "name": "view"}, "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}]});
    api.create("rolebindings", object(binding)).await;
    api.0.get(&nobody, &target("pods", "web")).await.expect("a viewer sees pods");
    assert!(api.0.get(&nobody, &target("secrets", "s")).await.is_err(), "and no Secrets");

    let node = user("system:node:n1", &["system:nodes"]);
    assert!(api.0.get(&node, &target("pods", "web")).await.is_err(), "not its pod");
    api.create("nodes", object(json!({"metadata": {"name": "n1"}}))).await;
    let binding =
        Binding { namespace: "default".into(), name: "web".into(), uid: String::new(), node: "n1".into() };
    api.0.bind_many(&admin(), &[binding]).await.remove(0).expect("bound");
    api.0.get(&node, &target("pods", "web")).await.expect("its pod");
    assert!(api.0.get(&node, &target("secrets", "s")).await.is_err(), "no pod of it needs that");
}
