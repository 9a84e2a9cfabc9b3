//! Pods that no node takes, told with the numbers.

use expect_test::expect;
use serde_json::{Value, json};

use super::{World, node, pod};

fn pending(requests: &Value, spec: &Value) -> Value {
    let mut pod = pod("big");
    pod["status"] = json!({"phase": "Pending"});
    pod["spec"].as_object_mut().expect("a spec").remove("nodeName");
    pod["spec"]["containers"][0]["resources"] = json!({"requests": requests});
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn bound(name: &str, requests: &Value) -> Value {
    let mut pod = pod(name);
    pod["spec"]["containers"][0]["resources"] = json!({"requests": requests});
    pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 80}]);
    pod
}

fn two_nodes() -> World {
    World::default()
        .with(node("n1", "2", "4Gi"))
        .with(node("n2", "2", "4Gi"))
        .with(bound("one", &json!({"cpu": "500m", "memory": "1Gi"})))
}

#[test]
fn what_is_larger_than_any_node() {
    two_nodes()
        .with(pending(&json!({"cpu": "64", "memory": "1Ti"}), &json!({})))
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: none of the 2 nodes takes it. It asks for 64 CPUs, and n2 has 2 free of 2 and n1 has 1.5 free of 2. It asks for 1Ti of memory, and n2 has 4Gi free of 4Gi and n1 has 3Gi free of 4Gi. No node is that large: have its containers ask for at most 2 CPUs and 4Gi of memory together, or add a larger node."]);
}

#[test]
fn what_would_fit_if_others_went() {
    two_nodes()
        .with(bound("two", &json!({"cpu": "1500m"})))
        .with(json!({"kind": "Pod", "metadata": {"name": "three", "namespace": "other"}, "spec": {"nodeName": "n2",
            "containers": [{"name": "c", "resources": {"requests": {"cpu": "1", "memory": "512Mi"}}}]}}))
        .with(pending(&json!({"cpu": "1200m"}), &json!({})))
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: none of the 2 nodes takes it. It asks for 1.2 CPUs, and n2 has 1 free of 2 and n1 has 0 free of 2. Have its containers ask for at most 1 CPU together, end or shrink other pods, or add a node."]);
}

#[test]
fn taints_cordons_and_nodes_that_are_lost() {
    let mut tainted = node("n1", "2", "4Gi");
    tainted["spec"] = json!({"taints": [{"key": "role", "value": "db", "effect": "NoSchedule"}]});
    let mut cordoned = node("n2", "2", "4Gi");
    cordoned["spec"] = json!({"unschedulable": true});
    let mut lost = node("n3", "2", "4Gi");
    lost["spec"] = json!({"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}]});
    lost["status"]["conditions"][0]["status"] = "Unknown".into();
    World::default()
        .with(tainted)
        .with(cordoned)
        .with(lost)
        .with(pending(&json!({}), &json!({})))
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: none of the 3 nodes takes it. n2 is cordoned. n1 has the taint role=db:NoSchedule, which it does not tolerate. n3 is not ready. Let pods onto it again with `xctl uncordon n2`. Give the pod a toleration for role=db:NoSchedule, or take the taint away with `xctl taint nodes n1 role=db:NoSchedule-`. See `xctl why node/n3`."]);
}

#[test]
fn selectors_and_ports() {
    two_nodes()
        .with(pending(&json!({}), &json!({"nodeSelector": {"disk": "ssd"}})))
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: none of the 2 nodes takes it. Its nodeSelector asks for disk=ssd, which n1 and n2 lack. Label a node with `xctl label node n1 disk=ssd`, or change the nodeSelector."]);
    let mut asking = pending(&json!({}), &json!({}));
    asking["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hostPort": 80}]);
    World::default()
        .with(node("n1", "2", "4Gi"))
        .with(bound("one", &json!({})))
        .with(asking)
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: the only node does not take it. Its host port 80/TCP is taken by another pod on n1. Leave hostPort out of its manifest and reach it through a Service, or add a node."]);
}

#[test]
fn what_the_scheduler_is_not_to_blame_for() {
    World::default().with(pending(&json!({}), &json!({}))).check("Pod/big", &expect!["Pod big has been Pending for 10m: the cluster has no node at all. Add one: `xctl token create` gives the token that `xebec node` joins with."]);
    two_nodes().with(pending(&json!({}), &json!({}))).check("Pod/big", &expect!["Pod big has been Pending for 10m: node n1 would take it, and the scheduler has not put it there yet. That takes a moment only; if it does not pass, see whether a master leads: `xctl cluster status`."]);
    two_nodes()
        .with(pending(&json!({}), &json!({"schedulingGates": [{"name": "example.com/quota"}]})))
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: it is held back by its scheduling gate example.com/quota. Whoever set a gate takes it out of spec.schedulingGates when it is time."]);
}

#[test]
fn pods_that_it_wants_beside_it_are_nowhere() {
    let term =
        json!({"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"});
    let affinity = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    two_nodes()
        .with(pending(&json!({}), &json!({"affinity": affinity})))
        .check("Pod/big", &expect!["Pod big has been Pending for 10m: none of the 2 nodes takes it. The pods that its pod affinity asks for are not near n1 and n2. Start those pods first, or change its podAffinity."]);
}
