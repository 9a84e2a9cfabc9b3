//! Whom the kernel ends first where the memory is gone before anybody was evicted: by the class
//! and the requests of the pod, as the kubelet has it. Pure.

use k8s_openapi::api::core::v1::{Container, Pod};
use xebec_api::object::Object;
use xebec_api::pod::qos_class;
use xebec_api::quantity::Quantity;

use crate::pod::machine::is_sidecar;

/// Of containers that have all they ask for for themselves, and of what the node cannot do without.
const GUARANTEED: i64 = -997;
/// Of those that ask for nothing.
const BEST_EFFORT: i64 = 1000;

/// A container's `oom_score_adj`, on a host with so much memory.
pub(super) fn score(object: &Object, pod: &Pod, container: &Container, memory_bytes: u64) -> i64 {
    if object.text(&["spec", "priorityClassName"]) == "system-node-critical" {
        return GUARANTEED;
    }
    match qos_class(object) {
        "Guaranteed" => GUARANTEED,
        "BestEffort" => BEST_EFFORT,
        _ => burstable(pod, container, memory_bytes),
    }
}

/// The more it asks for, the longer it lives: always between the two others. A sidecar lives as
/// long as the container that it serves.
fn burstable(pod: &Pod, container: &Container, memory_bytes: u64) -> i64 {
    let share = |container: &Container| {
        let asked =
            i128::from(request(container)) * i128::from(BEST_EFFORT) / i128::from(memory_bytes.max(1));
        BEST_EFFORT - i64::try_from(asked).unwrap_or(BEST_EFFORT)
    };
    let served = pod.spec.iter().flat_map(|spec| &spec.containers).map(share).max();
    let score = match served.filter(|_| is_sidecar(container)) {
        Some(served) => served.min(share(container)),
        None => share(container),
    };
    score.clamp(BEST_EFFORT + GUARANTEED, BEST_EFFORT - 1)
}

fn request(container: &Container) -> i64 {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    let memory = requests.and_then(|requests| requests.get("memory"));
    let bytes = memory.and_then(|text| Quantity::parse(&text.0).ok()).map(|bytes| bytes.value());
    bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The scores of a pod's containers, the init ones first, on a host with 1000 MiB.
    fn scores(spec: Value) -> Vec<i64> {
        let mut object = Object::default();
        object.set(&["spec"], spec);
        let pod: Pod = object.typed().expect("a pod");
        let spec = pod.spec.as_ref().expect("a spec");
        let all = spec.init_containers.iter().flatten().chain(&spec.containers);
        all.map(|container| score(&object, &pod, container, 1000 << 20)).collect()
    }

    fn container(name: &str, requests: Value) -> Value {
        json!({"name": name, "image": "x", "resources": {"requests": requests}})
    }

    #[test]
    fn who_asks_for_nothing_goes_first_and_who_has_its_own_last() {
        let full = json!({"cpu": "1", "memory": "64Mi"});
        let guaranteed = json!({"name": "a", "image": "x", "resources": {"limits": full, "requests": full}});
        let nothing = container("a", json!({}));
        assert_eq!(scores(json!({"containers": [nothing]})), [1000]);
        assert_eq!(scores(json!({"containers": [guaranteed]})), [-997]);
        let proxy = json!({"priorityClassName": "system-node-critical", "containers": [nothing]});
        assert_eq!(scores(proxy), [-997]);
        let dns = json!({"priorityClassName": "system-cluster-critical", "containers": [nothing]});
        assert_eq!(scores(dns), [1000], "a node goes on without it");
        let requests = ["1", "100Mi", "400Mi", "999Mi", "2000Mi"]
            .map(|memory| container("a", json!({"memory": memory})));
        assert_eq!(scores(json!({"containers": requests})), [999, 900, 600, 3, 3]);
        assert_eq!(scores(json!({"containers": [container("a", json!({"cpu": "1"}))]})), [999]);
    }

    #[test]
    fn a_sidecar_lives_as_long_as_what_it_serves() {
        let sidecar = |memory: &str| {
            let mut sidecar = container("log", json!({"memory": memory}));
            sidecar["restartPolicy"] = "Always".into();
            sidecar
        };
        let mains = [container("a", json!({"memory": "300Mi"})), container("b", json!({"memory": "200Mi"}))];
        let init = [sidecar("100Mi"), sidecar("500Mi"), container("once", json!({"memory": "100Mi"}))];
        let spec = json!({"initContainers": init, "containers": mains});
        assert_eq!(scores(spec), [800, 500, 900, 700, 800]);
    }
}
