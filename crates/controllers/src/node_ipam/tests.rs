//! Slices are given once, and only once.

use expect_test::expect;

use super::*;
use crate::world::World;

fn slices(world: &World) -> String {
    let nodes = world.list(NODES, None);
    let line = |node: &Object| format!("{} {}\n", node.name(), node.text(&["spec", "podCIDR"]));
    nodes.iter().map(line).collect()
}

#[test]
fn every_node_has_its_own_slice_and_keeps_it() {
    let mut world = World::new();
    world.put_node("n1");
    world.put_node("n2");
    world.settle(&[&NodeIpam]);
    world.delete(NODES, "", "n1", None);
    world.put_node("n0");
    world.put_node("n3");
    world.settle(&[&NodeIpam]);
    expect![[r#"
        n0 10.42.0.0/24
        n2 10.42.1.0/24
        n3 10.42.2.0/24
    "#]]
    .assert_eq(&slices(&world));
}

#[test]
fn a_full_network_is_said_so() {
    let mut world = World::new();
    world.settings.pod_cidr = "10.42.0.0/24".to_owned();
    world.put_node("n1");
    world.put_node("n2");
    let key = ObjectKey::new(NODES, "", "*");
    world.reconcile(&NodeIpam, &key);
    expect![[r#"
        update Node n1
          Normal Node/n2: CIDRNotAvailable
    "#]]
    .assert_eq(&world.take_log());
}
