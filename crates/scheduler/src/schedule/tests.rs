//! Whole answers of whole passes.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use xebec_api::object::Object;

use super::*;

fn object(value: Value) -> Object {
    Object::from_json(value.to_string().as_bytes()).expect("a map")
}

fn node(name: &str, cpu: &str, extra: Value) -> NodeInfo {
    let mut node = object(json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "5"}},
    }));
    node.set(&["spec"], extra);
    NodeInfo::from_objects(&node, &[])
}

fn pod(name: &str, cpu: &str, extra: Value) -> PodInfo {
    let requests = json!({"cpu": cpu, "memory": "64Mi"});
    let mut pod = object(json!({
        "metadata": {"namespace": "default", "name": name, "uid": name,
            "ownerReferences": [{"uid": "rs", "controller": true}]},
        "spec": {"containers": [{"name": "c", "resources": {"requests": requests}}]},
    }));
    for (key, value) in extra.as_object().into_iter().flatten() {
        pod.set(&["spec", key], value.clone());
    }
    PodInfo::from_object(&pod)
}

fn check(nodes: &[NodeInfo], pods: &[PodInfo], expect: &Expect) {
    let lines: Vec<String> = schedule(nodes, pods)
        .into_iter()
        .map(|decision| match decision.outcome {
            Outcome::Bind { node } => format!("{} -> {node}\n", decision.name),
            Outcome::Unschedulable { message } => format!("{}: {message}\n", decision.name),
        })
        .collect();
    expect.assert_eq(&lines.concat());
}

#[test]
fn replicas_spread_and_then_fill_up() {
    let nodes = [node("n1", "1", json!({})), node("n2", "2", json!({}))];
    let pods: Vec<PodInfo> = (0..7).map(|i| pod(&format!("p{i}"), "500m", json!({}))).collect();
    check(
        &nodes,
        &pods,
        &expect![[r#"
        p0 -> n2
        p1 -> n1
        p2 -> n2
        p3 -> n1
        p4 -> n2
        p5 -> n2
        p6: 0/2 nodes are available: 2 Insufficient cpu.
    "#]],
    );
}

#[test]
fn every_refusal_is_counted_in_kubernetes_words() {
    let taint = json!([{"key": "role", "value": "db", "effect": "NoSchedule"}]);
    let nodes = [
        node("n1", "100m", json!({})),
        node("n2", "4", json!({"taints": taint})),
        node("n3", "4", json!({"unschedulable": true})),
        node("n4", "4", json!({})),
    ];
    let pods = [
        pod("a-anywhere", "2", json!({})),
        pod("b-tolerant", "2", json!({"tolerations": [{"key": "role", "operator": "Exists"}]})),
        pod("c-named", "3", json!({"nodeName": "n4"})),
        pod("d-picky", "10m", json!({"nodeSelector": {"disk": "ssd"}})),
        pod("e-first", "10m", json!({"priority": 7})),
    ];
    check(
        &nodes,
        &pods,
        &expect![[r#"
        e-first -> n4
        a-anywhere -> n4
        b-tolerant -> n2
        c-named: 0/4 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, 2 node(s) didn't match the requested node name.
        d-picky: 0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.
    "#]],
    );
}

#[test]
fn host_ports_and_pod_counts_are_limits() {
    let nodes = [node("n1", "4", json!({}))];
    let port = |address: &str| json!({"containers": [{"ports": [{"containerPort": 80, "hostPort": 80, "hostIP": address}]}]});
    let mut pods =
        vec![pod("a", "0", port("10.0.0.1")), pod("b", "0", port("10.0.0.2")), pod("c", "0", port(""))];
    pods.extend((0..4).map(|i| pod(&format!("d{i}"), "0", json!({}))));
    check(
        &nodes,
        &pods,
        &expect![[r#"
        a -> n1
        b -> n1
        c: 0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.
        d0 -> n1
        d1 -> n1
        d2 -> n1
        d3: 0/1 nodes are available: 1 Too many pods.
    "#]],
    );
}

#[test]
fn without_nodes_it_says_so() {
    check(
        &[],
        &[pod("a", "1", json!({}))],
        &expect![[r#"
        a: no nodes available to schedule pods
    "#]],
    );
}

proptest! {
    #[test]
    fn no_node_is_ever_overcommitted(cpus in prop::collection::vec(100_i128..4000, 1..6),
                                     asks in prop::collection::vec(1_i128..1500, 0..40)) {
        let nodes: Vec<NodeInfo> = cpus.iter().enumerate()
            .map(|(i, cpu)| node(&format!("n{i}"), &format!("{cpu}m"), json!({}))).collect();
        let pods: Vec<PodInfo> = asks.iter().enumerate()
            .map(|(i, ask)| pod(&format!("p{i:02}"), &format!("{ask}m"), json!({}))).collect();
        let decisions = schedule(&nodes, &pods);
        prop_assert_eq!(decisions.len(), pods.len());
        prop_assert_eq!(&decisions, &schedule(&nodes, &pods));
        for (node, cpu) in nodes.iter().zip(&cpus) {
            let here: Vec<i128> = decisions.iter()
                .filter(|d| d.outcome == Outcome::Bind { node: node.name.clone() })
                .map(|d| asks[d.uid[1..].parse::<usize>().expect("a number")]).collect();
            prop_assert!(here.iter().sum::<i128>() <= *cpu && here.len() <= 5);
        }
    }
}
