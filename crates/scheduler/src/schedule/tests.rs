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

fn decide(nodes: &[NodeInfo], pods: &[PodInfo]) -> Vec<Decision> {
    let namespace = object(json!({"metadata": {"name": "other", "labels": {"team": "b"}}}));
    let pods: Vec<Arc<PodInfo>> = pods.iter().cloned().map(Arc::new).collect();
    schedule(nodes, &pods, &Namespaces::of([&namespace]))
}

fn check(nodes: &[NodeInfo], pods: &[PodInfo], expect: &Expect) {
    let lines: Vec<String> = decide(nodes, pods)
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
        pod(
            "f-daemon",
            "2",
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]}}}}),
        ),
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
        f-daemon: 0/4 nodes are available: 1 Insufficient cpu, 3 node(s) didn't satisfy plugin(s) [NodeAffinity].
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
fn a_sidecar_has_its_host_port_as_long_as_its_pod_runs() {
    let container = |more: Value| {
        let mut container = json!({"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]});
        container.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
        container
    };
    let beside = |more: Value| json!({"containers": [], "initContainers": [container(more)]});
    check(
        &[node("n1", "4", json!({}))],
        &[
            pod("a-init", "0", beside(json!({}))),
            pod("b-sidecar", "0", beside(json!({"restartPolicy": "Always"}))),
            pod("c", "0", json!({"containers": [container(json!({}))]})),
        ],
        &expect![[r#"
        a-init -> n1
        b-sidecar -> n1
        c: 0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.
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

/// Nodes with a zone each, and a pod on the first of them.
fn zones(resident: Value) -> Vec<NodeInfo> {
    let zoned = |(name, zone): (&str, &str)| {
        let mut node = object(json!({
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "zone": zone}},
            "status": {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "5"}},
        }));
        if zone.is_empty() {
            node.remove(&["metadata", "labels", "zone"]);
        }
        node
    };
    let nodes = [("a1", "a"), ("a2", "a"), ("b1", "b"), ("n1", "")].map(zoned);
    let mut pods = vec![object(resident)];
    nodes.iter().map(|node| NodeInfo::from_objects(node, &std::mem::take(&mut pods))).collect()
}

fn labelled(name: &str, labels: Value, spec: Value) -> PodInfo {
    PodInfo::from_object(&object(json!({
        "metadata": {"namespace": "default", "name": name, "uid": name, "labels": labels}, "spec": spec,
    })))
}

fn terms(kind: &str, term: Value) -> Value {
    json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}})
}

fn term(app: &str, key: &str, more: Value) -> Value {
    let mut term = json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key});
    term.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
    term
}

#[test]
fn pods_go_where_those_are_that_they_want_beside_them() {
    let nodes = zones(json!({"metadata": {"namespace": "other", "name": "db", "labels": {"app": "db"}}}));
    let near = |app: &str, key: &str, more: Value| terms("podAffinity", term(app, key, more));
    let labels = || json!({"app": "web", "pod-template-hash": "2"});
    let pods = [
        labelled("a-own-namespace", labels(), near("db", "zone", json!({}))),
        labelled(
            "b-by-name",
            labels(),
            near("db", "kubernetes.io/hostname", json!({"namespaces": ["other"]})),
        ),
        labelled(
            "c-by-selector",
            labels(),
            near("db", "zone", json!({"namespaceSelector": {"matchLabels": {"team": "b"}}})),
        ),
        labelled(
            "d-other-team",
            labels(),
            near("db", "zone", json!({"namespaceSelector": {"matchLabels": {"team": "c"}}})),
        ),
        labelled("e-the-first", json!({"app": "cache"}), near("cache", "zone", json!({}))),
        labelled("f-with-it", labels(), near("cache", "zone", json!({}))),
        labelled(
            "g-its-version",
            labels(),
            near("cache", "zone", json!({"matchLabelKeys": ["pod-template-hash"]})),
        ),
    ];
    check(
        &nodes,
        &pods,
        &expect![[r#"
        a-own-namespace: 0/4 nodes are available: 4 node(s) didn't match pod affinity rules.
        b-by-name -> a1
        c-by-selector -> a2
        d-other-team: 0/4 nodes are available: 4 node(s) didn't match pod affinity rules.
        e-the-first -> b1
        f-with-it -> b1
        g-its-version: 0/4 nodes are available: 4 node(s) didn't match pod affinity rules.
    "#]],
    );
}

#[test]
fn pods_keep_away_from_those_that_they_do_not_want_and_that_do_not_want_them() {
    let mut resident = json!({"metadata": {"namespace": "default", "name": "db", "labels": {"app": "db"}}});
    resident["spec"] = terms("podAntiAffinity", term("noisy", "zone", json!({})));
    let nodes = zones(resident);
    let apart = |app: &str, key: &str| terms("podAntiAffinity", term(app, key, json!({})));
    let web = |name: &str| labelled(name, json!({"app": "web"}), apart("web", "kubernetes.io/hostname"));
    let pods = [
        labelled("a-noisy", json!({"app": "noisy"}), json!({"nodeSelector": {"zone": "a"}})),
        labelled("b-not-near-it", json!({"app": "quiet"}), apart("db", "zone")),
        web("c-web"),
        web("d-web"),
        web("e-web"),
        web("f-web"),
        web("g-web"),
    ];
    check(
        &nodes,
        &pods,
        &expect![[r#"
        a-noisy: 0/4 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 2 node(s) didn't satisfy existing pods anti-affinity rules.
        b-not-near-it -> b1
        c-web -> a2
        d-web -> n1
        e-web -> a1
        f-web -> b1
        g-web: 0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules.
    "#]],
    );
}

#[test]
fn spread_that_must_hold_does() {
    let nodes = zones(json!({"metadata": {"namespace": "default", "name": "w", "labels": {"app": "web"}}}));
    let constraint = |more: Value| {
        let mut constraint = json!({"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"});
        let term = term("web", "zone", more);
        constraint.as_object_mut().expect("a map").extend(term.as_object().cloned().unwrap_or_default());
        json!({"topologySpreadConstraints": [constraint]})
    };
    let web = |name: &str, more: Value| labelled(name, json!({"app": "web"}), constraint(more));
    let mut only_a = constraint(json!({}));
    only_a["nodeSelector"] = json!({"zone": "a"});
    let pods = [
        web("a", json!({})),
        web("b", json!({})),
        web("c", json!({})),
        web("d-three-zones", json!({"minDomains": 3})),
        labelled("e-one-zone", json!({"app": "web"}), only_a),
    ];
    check(
        &nodes,
        &pods,
        &expect![[r#"
        a -> b1
        b -> a2
        c -> b1
        d-three-zones: 0/4 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label), 3 node(s) didn't match pod topology spread constraints.
        e-one-zone -> a1
    "#]],
    );
}

/// Each of them alone, on nodes as they were.
fn alone(nodes: &[NodeInfo], pods: &[PodInfo]) -> String {
    let place = |pod: &PodInfo| match decide(nodes, std::slice::from_ref(pod)).remove(0).outcome {
        Outcome::Bind { node } => format!("{} -> {node}\n", pod.name),
        Outcome::Unschedulable { message } => format!("{}: {message}\n", pod.name),
    };
    pods.iter().map(place).collect()
}

#[test]
fn of_the_nodes_that_will_do_one_is_taken_that_is_preferred() {
    let mut resident = json!({"metadata": {"namespace": "default", "name": "w", "labels": {"app": "web"}}});
    let wish = |key: &str, wish: Value| {
        let wish = json!({"weight": 10, key: wish});
        json!({"preferredDuringSchedulingIgnoredDuringExecution": [wish]})
    };
    let near = |app: &str| wish("podAffinityTerm", term(app, "zone", json!({})));
    resident["spec"] = json!({"affinity": {"podAntiAffinity": near("noisy")}});
    let nodes = zones(resident);
    let zone_b = json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]});
    let mut spread = term("web", "zone", json!({}));
    spread["maxSkew"] = 1.into();
    spread["whenUnsatisfiable"] = "ScheduleAnyway".into();
    let pods = [
        labelled("a-indifferent", json!({}), json!({})),
        labelled("b-node", json!({}), json!({"affinity": {"nodeAffinity": wish("preference", zone_b)}})),
        labelled("c-away", json!({}), json!({"affinity": {"podAntiAffinity": near("web")}})),
        labelled(
            "d-near",
            json!({}),
            json!({"nodeSelector": {"zone": "a"}, "affinity": {"podAffinity":
            wish("podAffinityTerm", term("web", "kubernetes.io/hostname", json!({})))}}),
        ),
        labelled("e-unwanted", json!({"app": "noisy"}), json!({})),
        labelled("f-even", json!({"app": "web"}), json!({"topologySpreadConstraints": [spread]})),
    ];
    expect![[r#"
        a-indifferent -> a2
        b-node -> b1
        c-away -> b1
        d-near -> a1
        e-unwanted -> b1
        f-even -> b1
    "#]]
    .assert_eq(&alone(&nodes, &pods));
}

#[test]
fn a_node_that_would_rather_have_no_pods_is_taken_last() {
    let taint = json!([{"key": "role", "effect": "PreferNoSchedule"}]);
    let nodes = [node("n1", "4", json!({"taints": taint})), node("n2", "1", json!({}))];
    let pods = [
        pod("a-any", "500m", json!({})),
        pod("b-tolerant", "500m", json!({"tolerations": [{"key": "role", "operator": "Exists"}]})),
        pod("c-large", "2", json!({})),
    ];
    expect![[r#"
        a-any -> n2
        b-tolerant -> n1
        c-large -> n1
    "#]]
    .assert_eq(&alone(&nodes, &pods));
}

proptest! {
    #[test]
    fn no_node_is_ever_overcommitted(cpus in prop::collection::vec(100_i128..4000, 1..6),
                                     asks in prop::collection::vec(1_i128..1500, 0..40)) {
        let nodes: Vec<NodeInfo> = cpus.iter().enumerate()
            .map(|(i, cpu)| node(&format!("n{i}"), &format!("{cpu}m"), json!({}))).collect();
        let pods: Vec<PodInfo> = asks.iter().enumerate()
            .map(|(i, ask)| pod(&format!("p{i:02}"), &format!("{ask}m"), json!({}))).collect();
        let decisions = decide(&nodes, &pods);
        prop_assert_eq!(decisions.len(), pods.len());
        prop_assert_eq!(&decisions, &decide(&nodes, &pods));
        for (node, cpu) in nodes.iter().zip(&cpus) {
            let here: Vec<i128> = decisions.iter()
                .filter(|d| d.outcome == Outcome::Bind { node: node.name.clone() })
                .map(|d| asks[d.uid[1..].parse::<usize>().expect("a number")]).collect();
            prop_assert!(here.iter().sum::<i128>() <= *cpu && here.len() <= 5);
        }
    }
}
