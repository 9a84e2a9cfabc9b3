//! What is an hour old goes, unless it happened again.

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::world::World;

#[test]
fn old_events_go_and_repeated_ones_stay() {
    let mut world = World::new();
    for (name, last) in [("old", "2026-11-24T10:00:00Z"), ("again", "2026-11-24T10:30:00Z")] {
        world.put(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "default", "name": name},
            "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}, "lastTimestamp": last,
        }));
    }
    assert_eq!(world.writes(&[&EventTtl]), "");
    world.advance(3600);
    expect![[r#"
        delete Event old
    "#]]
    .assert_eq(&world.writes(&[&EventTtl]));
}
