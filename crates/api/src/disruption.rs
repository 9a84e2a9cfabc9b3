//! PodDisruptionBudgets: how many of the pods that one is for may be taken away on purpose. Pure: the API counts
//! when a pod is to be evicted, and a controller for the budget's status.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::object::Object;
use crate::pod::{is_ready, list};
use crate::selector::LabelSelector;

/// The kinds that say how many pods there should be, and where they are stored.
const SCALED: [(&str, &str); 4] = [
    ("Deployment", "apps/deployments"),
    ("ReplicaSet", "apps/replicasets"),
    ("ReplicationController", "replicationcontrollers"),
    ("StatefulSet", "apps/statefulsets"),
];

/// What a budget comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Disruptions {
    /// The pods that there should be.
    pub expected: i64,
    /// Those of them that must stay healthy.
    pub desired: i64,
    /// Those that are healthy.
    pub healthy: i64,
}

impl Disruptions {
    /// How many pods may go now.
    #[must_use]
    pub fn allowed(&self) -> i64 {
        if self.expected <= 0 { 0 } else { (self.healthy - self.desired).max(0) }
    }

    /// Writes it into the budget's status.
    pub fn tell(&self, budget: &mut Object) {
        let generation = budget.generation();
        for (field, number) in [
            ("observedGeneration", generation),
            ("expectedPods", self.expected),
            ("desiredHealthy", self.desired),
            ("currentHealthy", self.healthy),
            ("disruptionsAllowed", self.allowed()),
        ] {
            budget.set(&["status", field], json!(number));
        }
    }
}

/// Whether a budget is for a pod. Without a selector it is for none, with an empty one for all.
#[must_use]
pub fn covers(budget: &Object, pod: &Object) -> bool {
    let selector = budget.get(&["spec", "selector"]);
    budget.namespace() == pod.namespace()
        && selector.is_some_and(|selector| LabelSelector::from_object(selector).matches(pod))
}

/// What a budget comes to with the pods that it is for. `find` reads an object of their namespace, by where it is
/// stored and its name.
///
/// # Errors
/// Why it cannot be said, and no pod may go: what is a share of the pods that there should be needs an owner of
/// each pod that says how many.
pub fn count(
    budget: &Object,
    pods: &[Object],
    find: impl Fn(&str, &str) -> Option<Object>,
) -> Result<Disruptions, String> {
    let part = |field: &str| budget.get(&["spec", field]).filter(|value| !value.is_null());
    let healthy = pods.iter().filter(|pod| is_ready(pod) && !pod.is_terminating()).count();
    let (expected, desired) = match (part("maxUnavailable"), part("minAvailable")) {
        (Some(most), _) => {
            let expected = scale(pods, &find)?;
            (expected, (expected - share(most, expected)).max(0))
        }
        (None, Some(least)) if least.is_string() => {
            let expected = scale(pods, &find)?;
            (expected, share(least, expected))
        }
        (None, Some(least)) => (number(pods.len()), share(least, 0)),
        (None, None) => (0, 0),
    };
    Ok(Disruptions { expected, desired, healthy: number(healthy) })
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A number, or a percentage of some pods, rounded up.
fn share(value: &Value, of: i64) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<u64>().ok());
    let part = u64::try_from(of).unwrap_or_default().saturating_mul(percent.unwrap_or_default());
    i64::try_from(part.div_ceil(100)).unwrap_or(i64::MAX)
}

/// How many pods their owners want, all together.
fn scale(pods: &[Object], find: &impl Fn(&str, &str) -> Option<Object>) -> Result<i64, String> {
    let mut wanted = BTreeMap::new();
    for pod in pods {
        let owner = owner(pod, find);
        let owner = owner.ok_or_else(|| format!("found no controllers for pod {:?}", pod.name()))?;
        let replicas = owner.get(&["spec", "replicas"]).and_then(Value::as_i64).unwrap_or(1);
        wanted.insert(owner.uid().to_owned(), replicas);
    }
    Ok(wanted.values().sum())
}

/// What controls a pod; a Deployment in the place of its ReplicaSets.
fn owner(pod: &Object, find: &impl Fn(&str, &str) -> Option<Object>) -> Option<Object> {
    let own = controller(pod, &SCALED, find)?;
    let deployment = controller(&own, &SCALED[..1], find);
    Some(deployment.unwrap_or(own))
}

/// What controls an object, if it is of one of these kinds.
fn controller(
    object: &Object,
    kinds: &[(&str, &str)],
    find: &impl Fn(&str, &str) -> Option<Object>,
) -> Option<Object> {
    let mut owners = list(object, &["metadata", "ownerReferences"]);
    let reference = owners.find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    let (_, resource) = kinds.iter().find(|(kind, _)| *kind == text("kind"))?;
    find(resource, text("name")).filter(|found| found.uid() == text("uid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> Object {
        Object::from_json(value.to_string().as_bytes()).expect("an object")
    }

    fn pod(name: &str, owner: &str, ready: bool) -> Object {
        let mut pod = object(&json!({"metadata": {"name": name, "namespace": "a", "labels": {"app": "web"}},
            "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}));
        if !owner.is_empty() {
            let owner = json!([{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true}]);
            pod.set(&["metadata", "ownerReferences"], owner);
        }
        pod
    }

    fn budget(spec: Value) -> Object {
        object(&json!({"metadata": {"name": "b", "namespace": "a", "generation": 3}, "spec": spec}))
    }

    /// Two sets of one Deployment, of four pods, and one set of its own, of two.
    fn find(resource: &str, name: &str) -> Option<Object> {
        let deployment = json!([{"kind": "Deployment", "name": "web", "uid": "web", "controller": true}]);
        let found = match (resource, name) {
            ("apps/replicasets", "old" | "new") => {
                json!({"metadata": {"uid": name, "ownerReferences": deployment}})
            }
            ("apps/replicasets", "alone") => json!({"metadata": {"uid": name}, "spec": {"replicas": 2}}),
            ("apps/deployments", "web") => json!({"metadata": {"uid": "web"}, "spec": {"replicas": 4}}),
            _ => return None,
        };
        Some(object(&found))
    }

    fn counted(spec: Value, pods: &[Object]) -> String {
        match count(&budget(spec), pods, find) {
            Ok(it) => format!("{} of {} for {}: {}", it.healthy, it.expected, it.desired, it.allowed()),
            Err(why) => why,
        }
    }

    #[test]
    fn a_share_is_one_of_what_the_owners_want() {
        let mut leaving = pod("d", "new", true);
        leaving.set(&["metadata", "deletionTimestamp"], "2026-11-24T10:00:00Z");
        let pods = [
            pod("a", "old", true),
            pod("b", "new", true),
            pod("c", "new", true),
            leaving,
            pod("e", "alone", false),
        ];
        for (spec, wanted) in [
            (json!({"minAvailable": 2}), "3 of 5 for 2: 1"),
            (json!({"minAvailable": 0}), "3 of 5 for 0: 3"),
            (json!({"minAvailable": "40%"}), "3 of 6 for 3: 0"),
            (json!({"maxUnavailable": "50%"}), "3 of 6 for 3: 0"),
            (json!({"maxUnavailable": "51%"}), "3 of 6 for 2: 1"),
            (json!({"maxUnavailable": 9}), "3 of 6 for 0: 3"),
            (json!({"maxUnavailable": 0}), "3 of 6 for 6: 0"),
            (json!({}), "3 of 0 for 0: 0"),
        ] {
            assert_eq!(counted(spec.clone(), &pods), wanted, "{spec}");
        }
        let stray = [pod("a", "old", true), pod("stray", "", true)];
        assert_eq!(counted(json!({"maxUnavailable": 1}), &stray), "found no controllers for pod \"stray\"");
        assert_eq!(counted(json!({"minAvailable": 1}), &stray), "2 of 2 for 1: 1");
        assert_eq!(counted(json!({"minAvailable": 0}), &[]), "0 of 0 for 0: 0");
        let namesake = [pod("a", "gone", true)];
        assert_eq!(counted(json!({"maxUnavailable": 1}), &namesake), "found no controllers for pod \"a\"");
    }

    #[test]
    fn a_budget_is_for_what_it_selects() {
        let pod = pod("a", "", true);
        for (spec, wanted) in [
            (json!({}), false),
            (json!({"selector": {}}), true),
            (json!({"selector": {"matchLabels": {"app": "web"}}}), true),
            (json!({"selector": {"matchLabels": {"app": "db"}}}), false),
        ] {
            assert_eq!(covers(&budget(spec.clone()), &pod), wanted, "{spec}");
        }
        let mut elsewhere = budget(json!({"selector": {}}));
        elsewhere.set(&["metadata", "namespace"], "other");
        assert!(!covers(&elsewhere, &pod));
    }

    #[test]
    fn the_status_says_it() {
        let mut told = budget(json!({}));
        Disruptions { expected: 5, desired: 2, healthy: 3 }.tell(&mut told);
        let wanted = json!({"observedGeneration": 3, "expectedPods": 5, "desiredHealthy": 2, "currentHealthy": 3,
            "disruptionsAllowed": 1});
        assert_eq!(told.get(&["status"]), Some(&wanted));
    }
}
