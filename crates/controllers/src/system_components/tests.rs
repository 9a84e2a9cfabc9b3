//! What a fresh cluster gets, and that nothing is written twice.

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::resources::{NODES, PODS};
use crate::world::World;

#[test]
fn a_fresh_cluster_gets_its_components_once() {
    let mut world = World::new();
    expect![[r#"
        create Namespace default
        create Namespace kube-node-lease
        create Namespace kube-public
        create Namespace kube-system
        create Service kubernetes
        create EndpointSlice kubernetes
        create ConfigMap masters
        create ServiceAccount kube-proxy
        create DaemonSet kube-proxy
        create Service kube-dns
        create ServiceAccount kube-dns
        create Deployment kube-dns
        create IngressClass xebec
        create ServiceAccount ingress
        create Service ingress
        create Deployment ingress
    "#]]
    .assert_eq(&world.writes(&[&SystemComponents]));
    assert_eq!(
        world.get(SERVICES, "default", "kubernetes").expect("made").text(&["spec", "clusterIP"]),
        "10.43.0.1"
    );
    assert_eq!(
        world.get(SERVICES, "kube-system", "kube-dns").expect("made").text(&["spec", "clusterIP"]),
        "10.43.0.10"
    );
}

#[test]
fn what_it_makes_is_valid() {
    let mut world = World::new();
    world.writes(&[&SystemComponents]);
    for object in world.objects.values() {
        let row = xebec_api::table::by_kind(object.api_version(), object.kind()).expect("a known kind");
        assert_eq!(row.strategy.validate(object), [], "{}", object.name());
        assert_eq!((row.check)(object), Ok(Vec::new()), "{}", object.name());
    }
}

/// A master that comes or goes changes no template, so that no pod is made anew.
#[test]
fn defaults_stay_changes_go_and_masters_follow() {
    let mut world = World::new();
    world.writes(&[&SystemComponents]);
    world.edit(DAEMON_SETS, "kube-system", "kube-proxy", |set| {
        set.set(&["spec", "template", "spec", "dnsPolicy"], "ClusterFirst");
        set.set(&["spec", "revisionHistoryLimit"], 10);
    });
    assert_eq!(world.writes(&[&SystemComponents]), "");
    world.edit(DAEMON_SETS, "kube-system", "kube-proxy", |set| {
        set.set(&["spec", "template", "spec", "hostNetwork"], false);
    });
    world.masters.push("10.99.0.13:7443".to_owned());
    expect![[r#"
        create EndpointSlice kubernetes-7443
        update ConfigMap masters
        update DaemonSet kube-proxy
    "#]]
    .assert_eq(&world.writes(&[&SystemComponents]));
    let set = world.get(DAEMON_SETS, "kube-system", "kube-proxy").expect("made");
    assert_eq!(set.get(&["spec", "template", "spec", "hostNetwork"]), Some(&json!(true)));
    world.masters.pop();
    expect![[r#"
        update ConfigMap masters
        delete EndpointSlice kubernetes-7443
    "#]]
    .assert_eq(&{
        let mut lines: Vec<String> =
            world.writes(&[&SystemComponents]).lines().map(|l| format!("{l}\n")).collect();
        lines.sort_by_key(|line| !line.starts_with("update"));
        lines.concat()
    });
}

#[test]
fn pods_that_share_a_node_are_parted_once_there_is_another() {
    let mut world = World::new();
    world.put_node("n1");
    let all: [&dyn Controller; 3] =
        [&SystemComponents, &crate::deployment::Deployment, &crate::replica_set::ReplicaSet];
    world.settle(&all);
    for app in ["kube-dns", "ingress"] {
        let placed = world.pods();
        let ours = placed.lines().filter(|line| line.contains(app) && line.contains("on n1 ready"));
        assert_eq!(ours.count(), 2, "{placed}");
    }
    world.advance(60);
    assert_eq!(world.writes(&[&SystemComponents]), "", "they have nowhere else to go");
    world.put_node("n2");
    let written = world.writes(&[&SystemComponents]);
    let deleted =
        |app: &str| written.lines().filter(|line| line.starts_with(&format!("delete Pod {app}-"))).count();
    let each = ["kube-dns", "ingress"].map(deleted);
    assert_eq!((each, written.lines().count()), ([1, 1], 2), "{written}");
    // Their successors find no room there, and stay beside the others.
    world.settle(&all);
    for pod in world.pods_on("n2") {
        world.poke(PODS, pod.namespace(), pod.name(), |pod| pod.set(&["spec", "nodeName"], "n1"));
    }
    world.advance(60);
    assert_eq!(world.writes(&[&SystemComponents]), "", "they are not asked to move again");
}

#[test]
fn a_tainted_node_is_nowhere_to_go() {
    let mut world = World::new();
    world.put_node("n1");
    world.settle(&[&SystemComponents, &crate::deployment::Deployment, &crate::replica_set::ReplicaSet]);
    world.advance(60);
    world.put_node("n2");
    world.edit(NODES, "", "n2", |node| {
        node.set(&["spec", "taints"], json!([{"key": "own", "effect": "NoSchedule"}]));
    });
    assert_eq!(world.writes(&[&SystemComponents]), "");
}
