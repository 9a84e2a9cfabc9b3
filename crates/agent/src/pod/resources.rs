//! Requests and limits as the runtime takes them: a container's, and those over its pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
use xebec_api::quantity::Quantity;
use xebec_runtime::Resources;

pub(crate) fn of_container(container: &Container) -> Resources {
    of(container.resources.as_ref())
}

fn of(resources: Option<&ResourceRequirements>) -> Resources {
    let quantity =
        |list: Option<&BTreeMap<String, Text>>, key: &str| Quantity::parse(&list?.get(key)?.0).ok();
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    let millis = |quantity: Quantity| u64::try_from(quantity.millis()).ok();
    let bytes = |quantity: Quantity| u64::try_from(quantity.value()).ok();
    Resources {
        cpu_request_millis: quantity(requests, "cpu").and_then(millis),
        cpu_limit_millis: quantity(limits, "cpu").and_then(millis),
        memory_limit_bytes: quantity(limits, "memory").and_then(bytes),
        ..Resources::default()
    }
}

/// Over a pod: what its containers have together, or an init container alone, whichever is
/// more. There is a limit only where each container has one. What the pod itself says wins.
pub(crate) fn of_pod(spec: &PodSpec) -> Resources {
    let own = of(spec.resources.as_ref());
    let containers: Vec<Resources> = spec.containers.iter().map(of_container).collect();
    let init: Vec<Resources> = spec.init_containers.iter().flatten().map(of_container).collect();
    let requests = containers.iter().map(|it| it.cpu_request_millis.or(it.cpu_limit_millis)).sum_known();
    let init_request = init.iter().filter_map(|it| it.cpu_request_millis).max();
    let limit = |field: fn(&Resources) -> Option<u64>| -> Option<u64> {
        let together = containers.iter().map(field).sum::<Option<u64>>()?;
        let alone = init.iter().map(field).collect::<Option<Vec<u64>>>()?;
        Some(alone.into_iter().fold(together, u64::max))
    };
    Resources {
        cpu_request_millis: own.cpu_request_millis.or(requests.max(init_request)),
        cpu_limit_millis: own.cpu_limit_millis.or_else(|| limit(|it| it.cpu_limit_millis)),
        memory_limit_bytes: own.memory_limit_bytes.or_else(|| limit(|it| it.memory_limit_bytes)),
        ..Resources::default()
    }
}

trait SumKnown {
    /// The sum of what is known; `None` where nothing is.
    fn sum_known(self) -> Option<u64>;
}

impl<T: Iterator<Item = Option<u64>>> SumKnown for T {
    fn sum_known(self) -> Option<u64> {
        self.flatten().reduce(|one, other| one + other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn over(spec: Value) -> (Option<u64>, Option<u64>, Option<u64>) {
        let found = of_pod(&serde_json::from_value(spec).expect("a spec"));
        (found.cpu_request_millis, found.cpu_limit_millis, found.memory_limit_bytes)
    }

    fn container(limits: Value, requests: Value) -> Value {
        json!({"name": "c", "resources": {"limits": limits, "requests": requests}})
    }

    #[test]
    fn a_pod_has_what_its_containers_have_together() {
        let one = container(json!({"cpu": "500m", "memory": "100"}), json!({"cpu": "100m"}));
        let other = container(json!({"cpu": "1", "memory": "50"}), json!({}));
        let both = json!({"containers": [one, other]});
        assert_eq!(over(both.clone()), (Some(1100), Some(1500), Some(150)));
        let mut with_init = both;
        with_init["initContainers"] =
            json!([container(json!({"cpu": "4", "memory": "10"}), json!({"cpu": "2"}))]);
        assert_eq!(over(with_init.clone()), (Some(2000), Some(4000), Some(150)));
        with_init["resources"] = json!({"limits": {"memory": "1Ki"}});
        assert_eq!(over(with_init), (Some(2000), Some(4000), Some(1024)));
    }

    #[test]
    fn one_without_a_limit_leaves_the_pod_without() {
        let one = container(json!({"cpu": "500m", "memory": "100"}), json!({"cpu": "100m"}));
        let free = container(json!({"memory": "7"}), json!({}));
        assert_eq!(over(json!({"containers": [one, free]})), (Some(100), None, Some(107)));
        let init = json!({"containers": [one], "initContainers": [container(json!({}), json!({}))]});
        assert_eq!(over(init), (Some(100), None, None));
    }
}
