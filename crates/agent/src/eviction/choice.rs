//! Which pod is evicted for its node's sake, and what is said of it. Pure: what the pods take
//! is measured by [`super::taken`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod;
use xebec_api::quantity::Quantity;

use super::importance::{is_critical, priority};
use super::monitor::Shortage;
use super::rank::{Candidate, Greedy, rank};
use super::signal::Resource;

/// What a pod takes of one resource, together and by container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) total: u64,
    pub(crate) containers: BTreeMap<String, u64>,
}

/// The pod that goes, and why, as the kubelet says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Victim {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) message: String,
}

/// The first of the ranking that may go.
pub(crate) fn choose(shortage: &Shortage, mut candidates: Vec<Candidate>) -> Option<Victim> {
    rank(shortage.signal.resource(), &mut candidates);
    let chosen = candidates.into_iter().find(|candidate| !candidate.is_critical)?;
    let message = message(shortage, &chosen.greedy);
    Some(Victim { uid: chosen.uid, name: chosen.name, message })
}

/// A pod with what it asked for and what it takes.
pub(crate) fn candidate(pod: &Object, resource: Resource, taken: Option<&Taken>) -> Candidate {
    let requests = pod::requests(pod);
    let request = match resource {
        Resource::Memory => requests.memory_bytes,
        Resource::EphemeralStorage => requests.other.get(resource.name()).copied().unwrap_or_default(),
        Resource::Inodes | Resource::Pids => 0,
    };
    Candidate {
        uid: pod.uid().to_owned(),
        name: format!("{}/{}", pod.namespace(), pod.name()),
        priority: priority(pod),
        is_critical: is_critical(pod),
        request,
        usage: taken.map(|taken| taken.total.into()),
        greedy: taken.map(|taken| greedy(pod, resource, taken)).unwrap_or_default(),
    }
}

/// The main containers and sidecars that take more than they asked for; nobody asks for inodes
/// or process ids.
fn greedy(pod: &Object, resource: Resource, taken: &Taken) -> Vec<Greedy> {
    if matches!(resource, Resource::Inodes | Resource::Pids) {
        return Vec::new();
    }
    let list = |field| pod.get(&["spec", field]).and_then(Value::as_array).into_iter().flatten();
    let sidecars = list("initContainers").filter(|container| pod::is_sidecar(container));
    let of = |container: &Value| {
        let name = container["name"].as_str()?;
        let usage = Quantity::from_bytes(i64::try_from(*taken.containers.get(name)?).unwrap_or(i64::MAX));
        let request = asked_for(container, resource);
        (usage > request).then(|| Greedy { name: name.to_owned(), usage, request })
    };
    sidecars.chain(list("containers")).filter_map(of).collect()
}

fn asked_for(container: &Value, resource: Resource) -> Quantity {
    let text = match &container["resources"]["requests"][resource.name()] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Quantity::parse(&text).unwrap_or(Quantity::from_bytes(0))
}

fn message(shortage: &Shortage, greedy: &[Greedy]) -> String {
    let Shortage { signal, threshold, available } = shortage;
    let resource = signal.resource().name();
    let mut message = format!(
        "The node was low on resource: {resource}. Threshold quantity: {threshold}, available: {available}. "
    );
    for Greedy { name, usage, request } in greedy {
        // Writing into a String cannot fail.
        let _ = write!(
            message,
            "Container {name} was using {usage}, request is {request}, has larger consumption of {resource}. "
        );
    }
    message
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::eviction::signal::Signal;

    const MIB: u64 = 1 << 20;

    fn pod(uid: &str, spec: Value) -> Object {
        let mut pod = Object::default();
        pod.set(&["metadata"], json!({"uid": uid, "namespace": "default", "name": uid}));
        pod.set(&["spec"], spec);
        pod
    }

    fn container(name: &str, requests: Value) -> Value {
        json!({"name": name, "resources": {"requests": requests}})
    }

    fn taken(containers: &[(&str, u64)]) -> Taken {
        let total = containers.iter().map(|(_, bytes)| bytes).sum();
        Taken {
            total,
            containers: containers.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect(),
        }
    }

    fn short(signal: Signal, threshold: &str, available: &str) -> Shortage {
        let quantity = |text| Quantity::parse(text).expect("a quantity");
        Shortage { signal, threshold: quantity(threshold), available: quantity(available) }
    }

    fn chosen(shortage: &Shortage, pods: &[(Object, Option<Taken>)]) -> String {
        let of = |(pod, taken): &(Object, Option<Taken>)| {
            candidate(pod, shortage.signal.resource(), taken.as_ref())
        };
        match choose(shortage, pods.iter().map(of).collect()) {
            Some(victim) => format!("{}: {}\n", victim.name, victim.message),
            None => "nobody\n".to_owned(),
        }
    }

    #[test]
    fn the_message_is_the_kubelets() {
        let mut sidecar = container("log", json!({"memory": "1Mi", "ephemeral-storage": "1G"}));
        sidecar["restartPolicy"] = "Always".into();
        let spec = json!({
            "initContainers": [sidecar, container("once", json!({}))],
            "containers": [container("web", json!({"memory": "64M"})), container("quiet", json!({"memory": "1Gi"}))],
        });
        let taken =
            taken(&[("log", 2 * MIB), ("once", MIB), ("web", 100 * MIB + 1024), ("quiet", 500 * MIB)]);
        let pods = [(pod("a", spec), Some(taken))];
        let told = [
            short(Signal::Memory, "100Mi", "95784Ki"),
            short(Signal::NodeFs, "4Gi", "1Gi"),
            short(Signal::ImageFsInodes, "16k", "12345"),
            short(Signal::Pids, "1638", "7"),
        ]
        .map(|shortage| chosen(&shortage, &pods))
        .concat();
        expect![[r#"
            default/a: The node was low on resource: memory. Threshold quantity: 100Mi, available: 95784Ki. Container log was using 2Mi, request is 1Mi, has larger consumption of memory. Container web was using 102401Ki, request is 64M, has larger consumption of memory. 
            default/a: The node was low on resource: ephemeral-storage. Threshold quantity: 4Gi, available: 1Gi. Container web was using 102401Ki, request is 0, has larger consumption of ephemeral-storage. Container quiet was using 500Mi, request is 0, has larger consumption of ephemeral-storage. 
            default/a: The node was low on resource: inodes. Threshold quantity: 16k, available: 12345. 
            default/a: The node was low on resource: pids. Threshold quantity: 1638, available: 7. 
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn who_keeps_to_what_it_asked_for_stays_and_the_system_always_does() {
        let of = |uid: &str, requests: Value, class: &str| {
            pod(uid, json!({"containers": [container("web", requests)], "priorityClassName": class}))
        };
        let modest = (of("modest", json!({"memory": "1Gi"}), ""), Some(taken(&[("web", 900 * MIB)])));
        let greedy = (of("greedy", json!({}), ""), Some(taken(&[("web", MIB)])));
        let proxy = (of("proxy", json!({}), "system-node-critical"), None);
        let dns = (of("dns", json!({}), "system-cluster-critical"), Some(taken(&[("web", 5000 * MIB)])));
        let memory = short(Signal::Memory, "100Mi", "1Mi");
        let told = [
            vec![modest.clone(), dns.clone(), greedy, proxy.clone()],
            vec![proxy.clone(), modest, dns.clone()],
            vec![dns, proxy],
            vec![],
        ]
        .map(|pods| chosen(&memory, &pods))
        .concat();
        expect![[r#"
            default/greedy: The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Mi. Container web was using 1Mi, request is 0, has larger consumption of memory. 
            default/modest: The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Mi. 
            nobody
            nobody
        "#]]
        .assert_eq(&told);
    }
}
