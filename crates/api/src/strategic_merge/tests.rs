//! Cases of Kubernetes' published semantics, and the laws that hold for every patch.

mod cases;
mod diff;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts;

fn deployment() -> &'static Type {
    facts::of_kind("apps/v1", "Deployment").expect("facts")
}

fn map(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { panic!("{value} is no map") }
}

/// What becomes of a pod's spec.
fn patched(spec: Value, patch: Value) -> Result<Value, String> {
    let pod = facts::of_kind("v1", "Pod").expect("facts");
    let patched = apply(pod, map(json!({"spec": spec})), &map(json!({"spec": patch})));
    patched.map(|mut object| object.remove("spec").unwrap_or_default()).map_err(|error| error.to_string())
}

/// A container out of few names, ports and variables, so that cases meet.
fn container() -> impl Strategy<Value = Value> {
    let ports = prop::collection::btree_map(0..4_u16, any::<bool>(), 0..3);
    let env = prop::collection::btree_map("[A-C]", prop::option::of("[xy]"), 0..3);
    let args = prop::collection::vec("[ab]", 0..3);
    ("[abc]", "[xyz]", ports, env, args).prop_map(|(name, image, ports, env, args)| {
        let ports: Vec<Value> = ports
            .into_iter()
            .map(|(port, named)| {
                let mut item = json!({"containerPort": 50 + port / 2, "protocol": if port % 2 == 0 { "TCP" } else { "UDP" }});
                if named {
                    item["name"] = format!("p{port}").into();
                }
                item
            })
            .collect();
        let env: Vec<Value> =
            env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let mut container = map(json!({"name": name, "image": image, "args": args, "ports": ports, "env": env}));
        container.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty()));
        strip(Value::Object(container))
    })
}

/// Nulls are not stored.
fn strip(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(|value| *value = strip(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| *value = strip(value.take())),
        _ => {}
    }
    value
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    let containers = prop::collection::vec(container(), 0..4).prop_map(|mut containers| {
        let mut seen = Vec::new();
        containers.retain(|container| {
            let new = !seen.contains(&container["name"]);
            seen.push(container["name"].clone());
            new
        });
        containers
    });
    let labels = prop::collection::btree_map("[a-c]", "[xy]", 0..3);
    let finalizers = prop::collection::btree_set("[a-d]", 0..4);
    (containers, labels, finalizers, prop::option::of(0..3_u8)).prop_map(
        |(containers, labels, finalizers, replicas)| {
            let finalizers: Vec<String> = finalizers.into_iter().collect();
            map(strip(json!({
                "metadata": {"labels": labels, "finalizers": finalizers},
                "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
            })))
        },
    )
}

proptest! {
    #[test]
    fn the_patch_of_a_difference_gives_the_new_object(old in object(), new in object()) {
        let patch = diff::between(&old, &new, schema::Schema::Struct(deployment()));
        let patched = apply(deployment(), old, &patch).expect("a patch");
        prop_assert_eq!(Value::Object(patched), Value::Object(new), "by {}", Value::Object(patch));
    }

    #[test]
    fn a_patch_applied_twice_changes_nothing_more(old in object(), a in object(), b in object()) {
        let patch = diff::between(&a, &b, schema::Schema::Struct(deployment()));
        let once = apply(deployment(), old, &patch).expect("a patch");
        let twice = apply(deployment(), once.clone(), &patch).expect("a patch");
        prop_assert_eq!(Value::Object(once), Value::Object(twice), "by {}", Value::Object(patch));
    }

    #[test]
    fn an_object_is_its_own_patch(object in object()) {
        let patched = apply(deployment(), object.clone(), &object).expect("a patch");
        prop_assert_eq!(patched, object);
    }
}
