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

#[test]
fn slices_lie_side_by_side_whatever_the_bits_beyond_the_prefix() {
    let mut world = World::new();
    world.settings.pod_cidr = "10.42.7.9/22".to_owned();
    for name in ["n1", "n2", "n3", "n4"] {
        world.put_node(name);
    }
    world.settle(&[&NodeIpam]);
    expect![[r#"
        n1 10.42.4.0/24
        n2 10.42.5.0/24
        n3 10.42.6.0/24
        n4 10.42.7.0/24
    "#]]
    .assert_eq(&slices(&world));
}

#[test]
fn what_is_no_network_or_smaller_than_a_slice_has_none() {
    for pod_cidr in ["10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0", "10.42.0.0/25"] {
        let mut world = World::new();
        world.settings.pod_cidr = pod_cidr.to_owned();
        world.put_node("n1");
        world.reconcile(&NodeIpam, &ObjectKey::new(NODES, "", "*"));
        assert_eq!(slices(&world), "n1 \n", "{pod_cidr}");
    }
}
