//! Endpoints follow the pods of their Service.

use expect_test::expect;

use super::*;
use crate::world::World;

fn pod(name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
    })
}

fn subsets_of(world: &World) -> String {
    let endpoints = world.get(ENDPOINTS, "default", "web").expect("they exist");
    let subsets = endpoints.get(&["subsets"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let ips = |subset: &Value, field: &str| {
        let list = subset[field].as_array().into_iter().flatten();
        list.map(|address| format!(" {} {}", address["ip"], address["targetRef"]["name"])).collect::<String>()
    };
    let line = |subset: &Value| {
        format!(
            "{}{} | not ready:{}\n",
            subset["ports"],
            ips(subset, "addresses"),
            ips(subset, "notReadyAddresses")
        )
    };
    subsets.iter().map(line).collect()
}

#[test]
fn pods_are_listed_by_port_and_readiness() {
    let mut world = World::new();
    world.put_node("n1");
    world.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "web", "labels": {"a": "b"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }));
    world.settle(&[&Endpoints]);
    assert_eq!(subsets_of(&world), "", "there is no pod yet");
    for (name, port) in [("a", 8080), ("b", 8080), ("c", 9090)] {
        world.put(pod(name, port));
    }
    world.settle(&[&Endpoints]);
    world.poke(PODS, "default", "b", |pod| pod.set(&["status", "conditions"], json!([])));
    world.writes(&[&Endpoints]);
    expect![[r#"
        [{"port":8080,"protocol":"TCP"}] "10.42.0.2" "a" | not ready: "10.42.0.3" "b"
        [{"port":9090,"protocol":"TCP"}] "10.42.0.4" "c" | not ready:
    "#]]
    .assert_eq(&subsets_of(&world));
    let endpoints = world.get(ENDPOINTS, "default", "web").expect("they exist");
    let labels: Vec<(&str, &str)> = endpoints.labels().collect();
    assert_eq!(labels, [("a", "b"), (MANAGED_BY, MANAGER)]);
    world.delete(PODS, "default", "a", None);
    world.writes(&[&Endpoints]);
    expect![[r#"
        [{"port":8080,"protocol":"TCP"}] | not ready: "10.42.0.3" "b"
        [{"port":9090,"protocol":"TCP"}] "10.42.0.4" "c" | not ready:
    "#]]
    .assert_eq(&subsets_of(&world));
}

#[test]
fn those_of_a_service_without_a_selector_are_left_alone() {
    let mut world = World::new();
    world.put(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "db"},
        "spec": {"ports": [{"port": 80}]}}),
    );
    let own = world.put(
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"namespace": "default", "name": "db"},
        "subsets": [{"addresses": [{"ip": "192.0.2.7"}]}]}),
    );
    world.settle(&[&Endpoints]);
    assert_eq!(world.list(ENDPOINTS, None), [own]);
}
