//! What the rest of the cluster asks of a pod, without decoding it as a type.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::Object;
use crate::quantity::Quantity;

/// The PriorityClasses that every cluster has, without an object, and their values: what the
/// cluster, or its node, cannot do without.
pub const SYSTEM_PRIORITIES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

/// What a pod asks for, so that a node can be found that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu_millis: i128,
    /// `memory`, in bytes.
    pub memory_bytes: i128,
    /// Everything else, such as `ephemeral-storage` or `example.com/gpu`, in its own unit.
    pub other: BTreeMap<String, i128>,
}

impl Resources {
    /// Reads a map of quantities; what is no quantity counts as nothing.
    #[must_use]
    pub fn of(list: Option<&Value>) -> Self {
        let mut resources = Self::default();
        for (name, value) in list.and_then(Value::as_object).into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let Ok(quantity) = Quantity::parse(&text) else { continue };
            match name.as_str() {
                "cpu" => resources.cpu_millis = quantity.millis(),
                "memory" => resources.memory_bytes = quantity.value(),
                _ => drop(resources.other.insert(name.clone(), quantity.value())),
            }
        }
        resources
    }

    /// Adds each amount.
    pub fn add(&mut self, more: &Self) {
        self.merge(more, |a, b| a + b);
    }

    /// Takes the larger of each amount.
    pub fn raise_to(&mut self, least: &Self) {
        self.merge(least, i128::max);
    }

    fn merge(&mut self, with: &Self, by: fn(i128, i128) -> i128) {
        self.cpu_millis = by(self.cpu_millis, with.cpu_millis);
        self.memory_bytes = by(self.memory_bytes, with.memory_bytes);
        for (name, amount) in &with.other {
            let slot = self.other.entry(name.clone()).or_default();
            *slot = by(*slot, *amount);
        }
    }
}

/// What a pod asks for: its containers and sidecars together, or its hungriest init
/// container beside the sidecars started before it, whichever is more, plus its overhead.
#[must_use]
pub fn requests(pod: &Object) -> Resources {
    let mut sidecars = Resources::default();
    let mut starting = Resources::default();
    for container in list(pod, &["spec", "initContainers"]) {
        let mut peak = container_requests(container);
        if is_sidecar(container) {
            sidecars.add(&peak);
            starting.raise_to(&sidecars);
        } else {
            peak.add(&sidecars);
            starting.raise_to(&peak);
        }
    }
    let mut total = sidecars;
    for container in list(pod, &["spec", "containers"]) {
        total.add(&container_requests(container));
    }
    total.raise_to(&starting);
    total.add(&Resources::of(pod.get(&["spec", "overhead"])));
    total
}

/// A container's requests, each falling back to its limit.
#[must_use]
pub fn container_requests(container: &Value) -> Resources {
    let part = |key: &str| container.get("resources").and_then(|resources| resources.get(key));
    let mut all = part("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(part("requests").and_then(Value::as_object).cloned().unwrap_or_default());
    Resources::of(Some(&Value::Object(all)))
}

/// `Guaranteed`, `Burstable` or `BestEffort`, from requests and limits of CPU and memory.
#[must_use]
pub fn qos_class(pod: &Object) -> &'static str {
    let containers = list(pod, &["spec", "containers"]).chain(list(pod, &["spec", "initContainers"]));
    let (mut any, mut all) = (false, true);
    for container in containers {
        let limits = Resources::of(container.get("resources").and_then(|resources| resources.get("limits")));
        let requests = container_requests(container);
        any |= requests.cpu_millis > 0 || requests.memory_bytes > 0;
        all &= limits.cpu_millis > 0 && limits.memory_bytes > 0;
        all &= (limits.cpu_millis, limits.memory_bytes) == (requests.cpu_millis, requests.memory_bytes);
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// `status.phase`, `Pending` when nothing is said.
#[must_use]
pub fn phase(pod: &Object) -> &str {
    match pod.text(&["status", "phase"]) {
        "" => "Pending",
        phase => phase,
    }
}

/// It has run to its end, well or not, and will not run again.
#[must_use]
pub fn is_terminal(pod: &Object) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Its condition `Ready` is true.
#[must_use]
pub fn is_ready(pod: &Object) -> bool {
    condition(pod, "Ready").and_then(|ready| ready.get("status")).and_then(Value::as_str) == Some("True")
}

/// It counts towards its owner's replicas: neither at its end nor on its way out.
#[must_use]
pub fn is_active(pod: &Object) -> bool {
    !is_terminal(pod) && !pod.is_terminating()
}

/// The node that it is bound to.
#[must_use]
pub fn node_name(pod: &Object) -> Option<&str> {
    Some(pod.text(&["spec", "nodeName"])).filter(|name| !name.is_empty())
}

/// It uses its node's network.
#[must_use]
pub fn is_host_network(pod: &Object) -> bool {
    pod.get(&["spec", "hostNetwork"]) == Some(&Value::Bool(true))
}

/// A condition of any object's status, by type.
#[must_use]
pub fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Value> {
    list(object, &["status", "conditions"]).find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

/// How often its containers were started again, all together.
#[must_use]
pub fn restart_count(pod: &Object) -> i64 {
    let counts = list(pod, &["status", "containerStatuses"]).map(|status| status.get("restartCount"));
    counts.map(|count| count.and_then(Value::as_i64).unwrap_or_default()).sum()
}

/// An init container that keeps running beside the others.
#[must_use]
pub fn is_sidecar(container: &Value) -> bool {
    container.get("restartPolicy").and_then(Value::as_str) == Some("Always")
}

pub(crate) fn list<'a>(object: &'a Object, path: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(path).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Object {
        let mut pod = Object::default();
        pod.set(&["spec"], spec);
        pod
    }

    fn container(requests: Value, limits: Value) -> Value {
        json!({"name": "a", "resources": {"requests": requests, "limits": limits}})
    }

    #[test]
    fn requests_are_the_larger_of_starting_and_running() {
        let mut sidecar = container(json!({"cpu": "100m"}), json!({}));
        sidecar["restartPolicy"] = json!("Always");
        let pod = pod(json!({
            "containers": [container(json!({"cpu": "200m", "memory": "64Mi"}), json!({})),
                           container(json!({}), json!({"cpu": "0.3", "x.io/gpu": 1}))],
            "initContainers": [sidecar, container(json!({"cpu": 1}), json!({}))],
            "overhead": {"memory": "1Mi"},
        }));
        let expected = Resources {
            cpu_millis: 1100,
            memory_bytes: 65 << 20,
            other: BTreeMap::from([("x.io/gpu".to_owned(), 1)]),
        };
        assert_eq!(requests(&pod), expected);
    }

    #[test]
    fn qos_follows_requests_and_limits() {
        let full = json!({"cpu": "1", "memory": "1Gi"});
        let cases = [
            (container(json!({}), json!({})), "BestEffort"),
            (container(json!({}), full.clone()), "Guaranteed"),
            (container(json!({"cpu": "0.5"}), full), "Burstable"),
            (container(json!({"cpu": "1"}), json!({})), "Burstable"),
        ];
        for (container, class) in cases {
            assert_eq!(qos_class(&pod(json!({"containers": [container]}))), class);
        }
    }

    #[test]
    fn the_status_is_read_as_it_is() {
        let mut pod = pod(json!({"nodeName": "n1", "hostNetwork": true}));
        assert_eq!((phase(&pod), is_ready(&pod), is_active(&pod)), ("Pending", false, true));
        pod.set(
            &["status"],
            json!({"phase": "Failed", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"restartCount": 2}, {"restartCount": 1}]}),
        );
        assert_eq!((is_terminal(&pod), is_ready(&pod), is_active(&pod)), (true, true, false));
        assert_eq!((restart_count(&pod), node_name(&pod), is_host_network(&pod)), (3, Some("n1"), true));
    }
}
