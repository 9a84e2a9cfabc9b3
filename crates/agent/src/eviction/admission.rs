//! Whether a node that is short of something takes a pod in, as the kubelet decides it. Pure.

use xebec_api::object::Object;
use xebec_api::pod::qos_class;
use xebec_api::taint::{Taint, tolerations};

use super::importance::is_critical;
use crate::node_pressure::Pressure;

/// Why it does not, in the kubelet's words.
pub(crate) fn refusal(pod: &Object, pressure: Pressure) -> Option<String> {
    if pressure == Pressure::default() || is_critical(pod) {
        return None;
    }
    // Only memory is given to those who asked for some of it: whatever else is short, is so for all.
    if pressure.is_of_memory_alone() && (qos_class(pod) != "BestEffort" || tolerates_it(pod)) {
        return None;
    }
    Some(format!("The node had condition: [{}]. ", pressure.names().join(" ")))
}

fn tolerates_it(pod: &Object) -> bool {
    let taint = Taint::new("node.kubernetes.io/memory-pressure", "NoSchedule");
    tolerations(pod).iter().any(|toleration| toleration.tolerates(&taint))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;
    use crate::node_pressure::Kind;

    fn pod(mut spec: Value, requests: Value) -> Object {
        spec["containers"] = json!([{"name": "web", "resources": {"requests": requests}}]);
        let mut pod = Object::default();
        pod.set(&["spec"], spec);
        pod
    }

    #[test]
    fn who_is_let_in_depends_on_what_is_short() {
        let toleration = json!([{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists"}]);
        let pods = [
            ("BestEffort", pod(json!({}), json!({}))),
            ("BestEffort that tolerates it", pod(json!({"tolerations": toleration}), json!({}))),
            ("Burstable", pod(json!({}), json!({"memory": "1Mi"}))),
            ("critical", pod(json!({"priorityClassName": "system-node-critical"}), json!({}))),
        ];
        let mut told = String::new();
        for short in [&[][..], &[Kind::Memory], &[Kind::Disk], &[Kind::Disk, Kind::Memory], &[Kind::Pids]] {
            for (name, pod) in &pods {
                let refusal = refusal(pod, short.iter().copied().collect());
                told.push_str(&format!("{short:?} {name}: {}\n", refusal.as_deref().unwrap_or("in")));
            }
        }
        expect![[r#"
            [] BestEffort: in
            [] BestEffort that tolerates it: in
            [] Burstable: in
            [] critical: in
            [Memory] BestEffort: The node had condition: [MemoryPressure]. 
            [Memory] BestEffort that tolerates it: in
            [Memory] Burstable: in
            [Memory] critical: in
            [Disk] BestEffort: The node had condition: [DiskPressure]. 
            [Disk] BestEffort that tolerates it: The node had condition: [DiskPressure]. 
            [Disk] Burstable: The node had condition: [DiskPressure]. 
            [Disk] critical: in
            [Disk, Memory] BestEffort: The node had condition: [MemoryPressure DiskPressure]. 
            [Disk, Memory] BestEffort that tolerates it: The node had condition: [MemoryPressure DiskPressure]. 
            [Disk, Memory] Burstable: The node had condition: [MemoryPressure DiskPressure]. 
            [Disk, Memory] critical: in
            [Pids] BestEffort: The node had condition: [PIDPressure]. 
            [Pids] BestEffort that tolerates it: The node had condition: [PIDPressure]. 
            [Pids] Burstable: The node had condition: [PIDPressure]. 
            [Pids] critical: in
        "#]]
        .assert_eq(&told);
    }
}
