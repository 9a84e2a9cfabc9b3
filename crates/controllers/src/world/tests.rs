//! All controllers together: they come to rest, driven by changes alone, and do not fight.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::all;
use crate::resources::{DAEMON_SETS, DEPLOYMENTS, ENDPOINT_SLICES, NAMESPACES, NODES, SERVICES};

fn cluster() -> World {
    let mut world = World::new();
    let controllers = all();
    let first: Vec<&dyn Controller> = controllers.iter().map(AsRef::as_ref).collect();
    world.writes(&first);
    for node in ["n1", "n2", "n3"] {
        world.put_node(node);
    }
    world.drive(&controllers);
    world
}

fn guestbook(world: &mut World, namespace: &str, replicas: usize) {
    world.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        "spec": {"finalizers": ["kubernetes"]}}));
    world.put(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": namespace, "name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": "v1"}]}}},
    }));
    world.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }));
    world.drive(&all());
}

/// The guestbook's pods by node, and its endpoints by what they are.
fn state(world: &World, namespace: &str) -> String {
    let mut lines: Vec<String> = world
        .list(PODS, Some(namespace))
        .iter()
        .map(|pod| {
            let leaving = if pod.is_terminating() { " leaving" } else { "" };
            let ready = if crate::pods::is_ready(pod) { "ready" } else { "unready" };
            format!("pod on {} {ready}{leaving}\n", pod.text(&["spec", "nodeName"]))
        })
        .collect();
    for slice in world.list(ENDPOINT_SLICES, Some(namespace)) {
        for endpoint in slice.get(&["endpoints"]).and_then(Value::as_array).into_iter().flatten() {
            lines.push(format!("endpoint on {} {}\n", endpoint["nodeName"], endpoint["conditions"]["ready"]));
        }
    }
    lines.sort();
    lines.concat()
}

/// Seconds pass, and these nodes say nothing.
fn pass(world: &mut World, seconds: u64, silent: &[&str]) {
    let controllers = all();
    let every: Vec<&dyn Controller> = controllers.iter().map(AsRef::as_ref).collect();
    for _ in 0..seconds {
        world.advance(1);
        world.hear_all_but(silent);
        world.settle(&every);
    }
}

#[test]
fn a_cluster_comes_up() {
    let world = cluster();
    expect![[r#"
        ingress-zj4d5x59sp- on n1 ready
        ingress-zj4d5x59sp- on n2 ready
        kube-dns-hvcmwlnjhq- on n1 ready
        kube-dns-hvcmwlnjhq- on n3 ready
        kube-proxy- on n1 ready
        kube-proxy- on n2 ready
        kube-proxy- on n3 ready
    "#]]
    .assert_eq(&world.pods());
    let mut accounts: Vec<String> =
        world.list("serviceaccounts", None).iter().map(|account| account.namespace().to_owned()).collect();
    accounts.dedup();
    assert_eq!(accounts, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert!(world.get(SERVICES, "default", "kubernetes").is_some());
}

#[test]
fn a_dead_node_is_replaced_and_comes_back_clean() {
    let mut world = cluster();
    guestbook(&mut world, "book", 3);
    expect![[r#"
        endpoint on "n1" true
        endpoint on "n2" true
        endpoint on "n3" true
        pod on n1 ready
        pod on n2 ready
        pod on n3 ready
    "#]]
    .assert_eq(&state(&world, "book"));
    pass(&mut world, 6, &["n1"]);
    expect![[r#"
        endpoint on "n1" false
        endpoint on "n2" true
        endpoint on "n3" true
        pod on n1 unready
        pod on n2 ready
        pod on n3 ready
    "#]]
    .assert_eq(&state(&world, "book"));
    pass(&mut world, 5, &["n1"]);
    expect![[r#"
        endpoint on "n1" false
        endpoint on "n2" true
        endpoint on "n2" true
        endpoint on "n3" true
        pod on n1 unready leaving
        pod on n2 ready
        pod on n2 ready
        pod on n3 ready
    "#]]
    .assert_eq(&state(&world, "book"));
    pass(&mut world, 2, &[]);
    expect![[r#"
        endpoint on "n2" true
        endpoint on "n2" true
        endpoint on "n3" true
        pod on n2 ready
        pod on n2 ready
        pod on n3 ready
    "#]]
    .assert_eq(&state(&world, "book"));
    let proxy = world.get(DAEMON_SETS, "kube-system", "kube-proxy").expect("it stays");
    assert_eq!(crate::counts::status(&proxy, "numberReady"), 3);
    assert_eq!(world.get(NODES, "", "n1").expect("it is back").get(&["spec", "taints"]), None);
}

#[test]
fn updates_scaling_and_deletion_need_no_more_than_their_events() {
    let mut world = cluster();
    guestbook(&mut world, "book", 3);
    world.edit(DEPLOYMENTS, "book", "web", |web| {
        web.set(&["spec", "template", "spec", "containers"], json!([{"image": "v2"}]));
    });
    world.drive(&all());
    world.edit(DEPLOYMENTS, "book", "web", |web| web.set(&["spec", "replicas"], 1));
    world.drive(&all());
    assert_eq!(state(&world, "book").matches("pod on").count(), 1);
    world.delete(DEPLOYMENTS, "book", "web", None);
    world.delete(SERVICES, "book", "web", None);
    world.drive(&all());
    assert_eq!(state(&world, "book"), "");
}

#[test]
fn a_namespace_goes_with_all_that_is_in_it() {
    let mut world = cluster();
    guestbook(&mut world, "book", 3);
    world.delete(NAMESPACES, "", "book", None);
    world.drive(&all());
    assert!(world.objects.keys().all(|key| key.1 != "book"), "{:?}", world.objects.keys());
    assert_eq!(world.get(NAMESPACES, "", "book"), None);
}

#[test]
fn a_deleted_node_takes_its_pods_along() {
    let mut world = cluster();
    guestbook(&mut world, "book", 3);
    world.delete(NODES, "", "n1", None);
    world.seen.remove("n1");
    world.drive(&all());
    expect![[r#"
        endpoint on "n2" true
        endpoint on "n2" true
        endpoint on "n3" true
        pod on n2 ready
        pod on n2 ready
        pod on n3 ready
    "#]]
    .assert_eq(&state(&world, "book"));
}

/// What a change of one pod costs does not grow with the pods of others.
#[test]
fn a_change_of_a_pod_has_nobody_read_every_pod() {
    let mut world = cluster();
    guestbook(&mut world, "book", 3);
    let pod = world.list(PODS, Some("book")).remove(0);
    let controllers = all();
    let mut reconciled = Vec::new();
    for controller in &controllers {
        for key in controller.keys(&world, PODS, &pod) {
            world.listed.borrow_mut().clear();
            controller.reconcile(&world, &key, world.now);
            let listed = world.listed.borrow();
            assert!(!listed.iter().any(|resource| resource == PODS), "{}: {listed:?}", controller.name());
            reconciled.push(controller.name());
        }
    }
    assert_eq!(reconciled, ["replicaset", "endpointslice", "endpoints", "garbage-collector"]);
}
