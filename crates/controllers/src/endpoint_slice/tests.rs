//! What stands behind a Service, as its pods come and go.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::world::World;

fn service(target: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": "web", "labels": {"tier": "front"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": target}]},
    })
}

fn pod(name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
    })
}

fn world(target: Value) -> World {
    let mut world = World::new();
    world.put_node("n1");
    world.put(service(target));
    world.put(pod("a", 8080));
    world.put(pod("b", 8080));
    world.settle(&[&EndpointSlice]);
    world
}

/// Each slice: its ports, then its endpoints with what they are ready for.
fn slices(world: &World) -> String {
    let mut lines = String::new();
    for slice in world.list(ENDPOINT_SLICES, None) {
        lines += &format!("{} {}\n", slice.text(&["addressType"]), slice.get(&["ports"]).expect("ports"));
        let endpoints = slice.get(&["endpoints"]).and_then(Value::as_array).expect("endpoints");
        for endpoint in endpoints {
            let (address, target) = (&endpoint["addresses"][0], &endpoint["targetRef"]["name"]);
            lines += &format!("  {address} {target} {} {}\n", endpoint["nodeName"], endpoint["conditions"]);
        }
    }
    lines
}

#[test]
fn ready_pods_stand_behind_their_service() {
    let mut world = world(json!(8080));
    expect![[r#"
        IPv4 [{"name":"http","port":8080,"protocol":"TCP"}]
          "10.42.0.2" "a" "n1" {"ready":true,"serving":true,"terminating":false}
          "10.42.0.3" "b" "n1" {"ready":true,"serving":true,"terminating":false}
    "#]]
    .assert_eq(&slices(&world));
    let labels: Vec<String> =
        world.list(ENDPOINT_SLICES, None)[0].labels().map(|(k, v)| format!("{k}={v}")).collect();
    expect![[r#"
        [
            "endpointslice.kubernetes.io/managed-by=endpointslice-controller.k8s.io",
            "kubernetes.io/service-name=web",
            "tier=front",
        ]
    "#]]
    .assert_debug_eq(&labels);
    world.edit(SERVICES, "default", "web", |service| service.set(&["metadata", "labels"], json!({"a": "b"})));
    world.writes(&[&EndpointSlice]);
    let slice = world.list(ENDPOINT_SLICES, None).remove(0);
    let of_service = |(key, _): &(&str, &str)| !key.contains('/');
    assert_eq!(slice.labels().filter(of_service).collect::<Vec<_>>(), [("a", "b")], "what it lost goes");
    world.delete(PODS, "default", "a", None);
    world.poke(PODS, "default", "b", |pod| pod.set(&["status", "conditions"], json!([])));
    world.writes(&[&EndpointSlice]);
    expect![[r#"
        IPv4 [{"name":"http","port":8080,"protocol":"TCP"}]
          "10.42.0.2" "a" "n1" {"ready":false,"serving":true,"terminating":true}
          "10.42.0.3" "b" "n1" {"ready":false,"serving":false,"terminating":false}
    "#]]
    .assert_eq(&slices(&world));
}

#[test]
fn a_named_port_may_differ_between_pods() {
    let mut world = world(json!("http"));
    world.put(pod("c", 9090));
    world.settle(&[&EndpointSlice]);
    let mut slices: Vec<String> = slices(&world).split_inclusive("}\n").map(str::to_owned).collect();
    slices.sort();
    assert_eq!(slices.concat().matches("\"port\":9090").count(), 1);
    assert_eq!(world.list(ENDPOINT_SLICES, None).len(), 2);
    world.delete(PODS, "default", "c", Some(0));
    world.settle(&[&EndpointSlice]);
    assert_eq!(world.list(ENDPOINT_SLICES, None).len(), 1);
}

/// Slices that were left behind by `--cascade=orphan` would be read as the new Service's own.
#[test]
fn slices_of_an_earlier_service_of_the_name_go() {
    let mut world = world(json!(8080));
    let old = world.list(ENDPOINT_SLICES, None).remove(0);
    world.poke(ENDPOINT_SLICES, "default", old.name(), |slice| {
        slice.remove(&["metadata", "ownerReferences"]);
    });
    world.delete(SERVICES, "default", "web", Some(0));
    world.put(service(json!(8080)));
    world.settle(&[&EndpointSlice]);
    let names: Vec<String> =
        world.list(ENDPOINT_SLICES, None).iter().map(|slice| slice.name().to_owned()).collect();
    assert!(names.len() == 1 && names[0] != old.name(), "{names:?} after {}", old.name());
}

#[test]
fn a_service_without_pods_has_an_empty_slice_and_one_without_selector_none() {
    let mut world = World::new();
    world.put(service(json!(8080)));
    world.put(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "hand"},
        "spec": {"ports": [{"port": 80}]}}),
    );
    world.settle(&[&EndpointSlice]);
    expect![[r#"
        IPv4 [{"name":"http","port":8080,"protocol":"TCP"}]
    "#]]
    .assert_eq(&slices(&world));
}

#[test]
fn a_pod_touches_the_services_that_select_it_and_those_that_did() {
    let mut world = world(json!(8080));
    let mut pod = world.get(PODS, "default", "a").expect("it exists");
    assert_eq!(EndpointSlice.keys(&world, PODS, &pod), [ObjectKey::new(SERVICES, "default", "web")]);
    pod.set(&["metadata", "labels", "app"], "other");
    assert_eq!(EndpointSlice.keys(&world, PODS, &pod), [ObjectKey::new(SERVICES, "default", "web")]);
    world.edit(PODS, "default", "a", |pod| pod.set(&["metadata", "labels", "app"], "other"));
    world.settle(&[&EndpointSlice]);
    assert_eq!(EndpointSlice.keys(&world, PODS, &pod), []);
}

/// An earlier version filled slices with a thousand.
#[test]
fn endpoints_that_move_to_another_slice_are_never_in_none() {
    let mut world = world(json!(8080));
    for number in 0..150 {
        world.put(pod(&format!("p{number}"), 8080));
    }
    world.settle(&[&EndpointSlice]);
    let held =
        |slice: &Object| slice.get(&["endpoints"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut slices = world.list(ENDPOINT_SLICES, None);
    slices.sort_by_key(|slice| held(slice).len());
    assert_eq!(slices.iter().map(|slice| held(slice).len()).collect::<Vec<_>>(), [52, 100]);
    let all: Vec<Value> = slices.iter().flat_map(held).collect();
    world.delete(ENDPOINT_SLICES, "default", slices[0].name(), None);
    world.poke(ENDPOINT_SLICES, "default", slices[1].name(), |slice| slice.set(&["endpoints"], all));
    let log = world.writes(&[&EndpointSlice]);
    let verbs: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["create", "update"]);
}
