//! Pods that asked for memory or processor time are taken to cope with a node that is short of
//! memory: they tolerate its taint, as in Kubernetes. New ones that asked for nothing, which go
//! first there, stay away.

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::pod::qos_class;

/// Gives a new pod the toleration, and a changed one what it had: who sends the manifest again
/// leaves it out.
pub(super) fn add(new: &mut Object, old: Option<&Object>) {
    let toleration = json!({
        "key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule",
    });
    let has_it = |pod: &Object| list(pod).is_some_and(|list| list.contains(&toleration));
    let is_due = old.map_or_else(|| qos_class(new) != "BestEffort", has_it);
    if is_due && !has_it(new) {
        let mut tolerations = list(new).cloned().unwrap_or_default();
        tolerations.push(toleration);
        new.set(&["spec", "tolerations"], tolerations);
    }
}

fn list(pod: &Object) -> Option<&Vec<Value>> {
    pod.get(&["spec", "tolerations"]).and_then(Value::as_array)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn pod(spec: &Value) -> Object {
        let mut pod = Object::default();
        pod.set(&["spec"], spec.clone());
        pod
    }

    #[test]
    fn who_asks_for_something_tolerates_a_node_that_is_short_of_memory() {
        let container = |resources: Value| json!([{"name": "a", "resources": resources}]);
        let nothing = container(json!({}));
        let burstable = container(json!({"requests": {"cpu": "1m"}}));
        let full = json!({"cpu": "1", "memory": "1Gi"});
        let guaranteed = container(json!({"limits": full, "requests": full}));
        let own = json!([{"key": "mine", "operator": "Exists"}]);
        let specs = [
            json!({"containers": nothing}),
            json!({"containers": burstable}),
            json!({"containers": burstable, "tolerations": own}),
            json!({"containers": guaranteed}),
        ];
        let mut told = String::new();
        for spec in &specs {
            let mut made = pod(spec);
            add(&mut made, None);
            let first = made.clone();
            // Sent again as it is, and as its manifest has it.
            add(&mut made, Some(&first));
            assert_eq!(made, first);
            let mut again = pod(spec);
            add(&mut again, Some(&first));
            assert_eq!(again, first);
            // A pod from before stays as it is.
            let mut before = pod(spec);
            add(&mut before, Some(&pod(spec)));
            assert_eq!(before, pod(spec));
            let tolerations = made.get(&["spec", "tolerations"]).cloned().unwrap_or_default();
            told.push_str(&format!("{tolerations}\n"));
        }
        expect![[r#"
            null
            [{"effect":"NoSchedule","key":"node.kubernetes.io/memory-pressure","operator":"Exists"}]
            [{"key":"mine","operator":"Exists"},{"effect":"NoSchedule","key":"node.kubernetes.io/memory-pressure","operator":"Exists"}]
            [{"effect":"NoSchedule","key":"node.kubernetes.io/memory-pressure","operator":"Exists"}]
        "#]]
        .assert_eq(&told);
    }
}
