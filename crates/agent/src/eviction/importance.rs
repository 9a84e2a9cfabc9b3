//! How important a pod is to its node. Pods that the cluster cannot do without are never
//! evicted for their node's sake, and are let in whatever it is short of.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::SYSTEM_PRIORITIES;

/// From this priority on.
const CRITICAL: i64 = 2_000_000_000;

/// `spec.priority`; of a pod from before priorities were given, that of the system's class that it names.
pub(crate) fn priority(pod: &Object) -> i64 {
    let said = pod.get(&["spec", "priority"]).and_then(Value::as_i64);
    let class = pod.text(&["spec", "priorityClassName"]);
    let of_class = || SYSTEM_PRIORITIES.iter().find(|(name, _)| *name == class).map(|(_, value)| *value);
    said.or_else(of_class).unwrap_or_default()
}

pub(crate) fn is_critical(pod: &Object) -> bool {
    priority(pod) >= CRITICAL
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_classes_of_the_system_are_critical() {
        for (spec, wanted, critical) in [
            (json!({}), 0, false),
            (json!({"priority": 7}), 7, false),
            (json!({"priorityClassName": "high"}), 0, false),
            (json!({"priority": 1_000_000_000, "priorityClassName": "high"}), 1_000_000_000, false),
            (json!({"priorityClassName": "system-cluster-critical"}), 2_000_000_000, true),
            (json!({"priorityClassName": "system-node-critical"}), 2_000_001_000, true),
            (json!({"priority": 2_000_001_000}), 2_000_001_000, true),
        ] {
            let mut pod = Object::default();
            pod.set(&["spec"], spec);
            assert_eq!((priority(&pod), is_critical(&pod)), (wanted, critical), "{pod:?}");
        }
    }
}
