//! Background, foreground and orphan.

use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::resources::{DEPLOYMENTS, PODS, REPLICA_SETS};
use crate::world::World;

fn owned_by(owners: &[&Object]) -> Value {
    owners.iter().map(|owner| crate::owner::controller_reference(owner)).collect()
}

fn put(world: &mut World, api_version: &str, kind: &str, name: &str, owners: &[&Object]) -> Object {
    let metadata = json!({"namespace": "default", "name": name, "ownerReferences": owned_by(owners)});
    world.put(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {}}))
}

/// A Deployment that owns a ReplicaSet that owns a Pod.
fn world() -> World {
    let mut world = World::new();
    let deployment = put(&mut world, "apps/v1", "Deployment", "d", &[]);
    let set = put(&mut world, "apps/v1", "ReplicaSet", "s", &[&deployment]);
    put(&mut world, "v1", "Pod", "p", &[&set]);
    world
}

fn delete_with(world: &mut World, finalizer: &str) {
    world.delete_by(DEPLOYMENTS, "default", "d", None, Some(finalizer));
}

#[test]
fn dependents_follow_their_owner() {
    let mut world = world();
    assert_eq!(world.writes(&[&GarbageCollector]), "");
    world.delete(DEPLOYMENTS, "default", "d", None);
    expect![[r#"
        delete ReplicaSet s to 1
        delete Pod p
    "#]]
    .assert_eq(&world.writes(&[&GarbageCollector]));
}

#[test]
fn in_the_foreground_the_owner_goes_last() {
    let mut world = world();
    delete_with(&mut world, FOREGROUND);
    expect![[r#"
        delete ReplicaSet s to 1 after its dependents
        delete Pod p
        update ReplicaSet s to 1
        update Deployment d
    "#]]
    .assert_eq(&world.writes(&[&GarbageCollector]));
    assert_eq!(world.objects.len(), 0);
}

#[test]
fn orphans_stay() {
    let mut world = world();
    delete_with(&mut world, ORPHAN);
    expect![[r#"
        update ReplicaSet s to 1
        update Deployment d
    "#]]
    .assert_eq(&world.writes(&[&GarbageCollector]));
    let set = world.get(REPLICA_SETS, "default", "s").expect("it stays");
    assert_eq!(references(&set), Vec::<Value>::new());
}

#[test]
fn one_living_owner_is_enough_and_a_namesake_is_none() {
    let mut world = World::new();
    let first = put(&mut world, "v1", "ConfigMap", "first", &[]);
    let second = put(&mut world, "v1", "ConfigMap", "second", &[]);
    put(&mut world, "v1", "Pod", "both", &[&first, &second]);
    put(&mut world, "v1", "Pod", "one", &[&first]);
    world.delete("configmaps", "default", "first", None);
    put(&mut world, "v1", "ConfigMap", "first", &[]);
    expect![[r#"
        update Pod both
        delete Pod one
    "#]]
    .assert_eq(&world.writes(&[&GarbageCollector]));
    let both = world.get(PODS, "default", "both").expect("it stays");
    assert_eq!(references(&both).len(), 1);
}

/// Which namespace the owner would be in, nobody knows: that it is not in none is no news.
#[test]
fn an_object_without_a_namespace_outlives_an_owner_that_has_one() {
    let mut world = World::new();
    let (lives, gone) =
        (put(&mut world, "v1", "ConfigMap", "lives", &[]), put(&mut world, "v1", "ConfigMap", "gone", &[]));
    let role = |owners: &[&Object]| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "r", "ownerReferences": owned_by(owners)}})
    };
    let role = world.put(role(&[&lives, &gone]));
    world.delete("configmaps", "default", "gone", None);
    let key = ObjectKey::of("rbac.authorization.k8s.io/clusterroles", &role);
    world.take_log();
    let plan = world.reconcile(&GarbageCollector, &key);
    assert_eq!(world.take_log(), "  Warning ClusterRole/r: OwnerRefInvalidNamespace\n".repeat(2));
    for (index, action) in plan.actions.iter().enumerate() {
        let crate::plan::Action::Record(event) = action else { panic!("{action:?}") };
        let name = format!("e{index}");
        world.put(
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "default", "name": name},
            "involvedObject": {"uid": event.involved.uid}, "reason": event.reason, "message": event.message}),
        );
    }
    assert_eq!(world.reconcile(&GarbageCollector, &key), Plan::nothing(), "told once");
    assert_eq!(references(&role).len(), 2);

    world.delete_by("configmaps", "default", "lives", None, Some(FOREGROUND));
    assert_eq!(
        world.writes(&[&GarbageCollector]),
        "update ConfigMap lives\n",
        "it does not wait for what it cannot own"
    );
}

#[test]
fn a_deleted_owner_points_at_its_dependents() {
    let mut world = world();
    let deployment = world.get(DEPLOYMENTS, "default", "d").expect("it exists");
    world.delete(DEPLOYMENTS, "default", "d", None);
    let keys = GarbageCollector.keys(&world, DEPLOYMENTS, &deployment);
    assert_eq!(keys, [ObjectKey::new(REPLICA_SETS, "default", "s")]);
}

#[test]
fn a_circle_of_owners_goes() {
    let mut world = World::new();
    let names = ["a", "b", "c"];
    let objects = names.map(|name| put(&mut world, "v1", "ConfigMap", name, &[]));
    for (index, name) in names.iter().enumerate() {
        let owner = owned_by(&[&objects[(index + 2) % 3]]);
        world.poke("configmaps", "default", name, |object| {
            object.set(&["metadata", "ownerReferences"], owner);
        });
    }
    let controllers: Vec<Box<dyn Controller>> = vec![Box::new(GarbageCollector)];
    world.drive(&controllers);
    world.delete_by("configmaps", "default", "a", None, Some(FOREGROUND));
    world.drive(&controllers);
    assert_eq!(world.objects.len(), 0);
}
