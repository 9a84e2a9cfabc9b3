//! What becomes of Endpoints that a user wrote.

use expect_test::expect;

use super::*;
use crate::world::World;

fn world(selector: Value) -> World {
    let mut world = World::new();
    world.put(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "db"},
        "spec": {"selector": selector, "ports": [{"port": 5432}]},
    }));
    world.put(json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"namespace": "default", "name": "db", "labels": {"tier": "data"}},
        "subsets": [{
            "addresses": [{"ip": "192.0.2.8", "hostname": "one"}, {"ip": "192.0.2.7"}, {"ip": "2001:db8::1"}],
            "notReadyAddresses": [{"ip": "192.0.2.9"}, {"ip": "no address"}],
            "ports": [{"port": 5432}],
        }],
    }));
    world.settle(&[&EndpointSliceMirroring]);
    world
}

fn slices(world: &World) -> String {
    let line = |slice: &Object| {
        let owner = slice.get(&["metadata", "ownerReferences"]).map(|owners| owners[0]["kind"].to_string());
        let part = |key: &str| slice.get(&[key]).cloned().unwrap_or_default();
        format!("{} {} {}\n", owner.unwrap_or_default(), part("addressType"), part("endpoints"))
    };
    let mut lines: Vec<String> = world.list(ENDPOINT_SLICES, None).iter().map(line).collect();
    lines.sort();
    lines.concat()
}

#[test]
fn they_are_mirrored_by_family_and_followed() {
    let mut world = world(Value::Null);
    expect![[r#"
        "Endpoints" "IPv4" [{"addresses":["192.0.2.7"],"conditions":{"ready":true}},{"addresses":["192.0.2.8"],"conditions":{"ready":true},"hostname":"one"},{"addresses":["192.0.2.9"],"conditions":{"ready":false}}]
        "Endpoints" "IPv6" [{"addresses":["2001:db8::1"],"conditions":{"ready":true}}]
    "#]].assert_eq(&slices(&world));
    world.edit(ENDPOINTS, "default", "db", |endpoints| {
        endpoints.set(&["subsets"], json!([{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5433}]}]));
    });
    world.settle(&[&EndpointSliceMirroring]);
    expect![[r#"
        "Endpoints" "IPv4" [{"addresses":["192.0.2.7"],"conditions":{"ready":true}}]
    "#]]
    .assert_eq(&slices(&world));
    world.edit(ENDPOINTS, "default", "db", |endpoints| endpoints.set(&["metadata", "labels", SKIP], "true"));
    world.settle(&[&EndpointSliceMirroring]);
    assert_eq!(slices(&world), "");
}

#[test]
fn those_of_a_service_with_a_selector_are_not() {
    assert_eq!(slices(&world(json!({"app": "db"}))), "");
}
