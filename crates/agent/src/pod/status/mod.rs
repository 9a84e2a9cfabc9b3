//! What is said of a pod: a pure function of its spec, its sandbox and its probes, with
//! Kubernetes' own phases and reasons. [`merge`] lays it over what the API has.

mod container;
mod merge;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use xebec_runtime::Sandbox;

use self::container::{container_status, exit_code};
pub(crate) use self::merge::{merge, same};
use crate::pod::machine::Memory;

/// What probes say: by run id, whether it is ready.
pub(crate) type Readiness = BTreeMap<String, bool>;

/// What a status is made of.
pub(crate) struct Facts<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) sandbox: Option<&'a Sandbox>,
    pub(crate) memory: &'a Memory,
    pub(crate) readiness: &'a Readiness,
    pub(crate) host_ip: String,
}

/// Every field that the agent owns; the conditions have no times yet.
pub(crate) fn of(facts: &Facts<'_>) -> Value {
    let spec = facts.pod.spec.clone().unwrap_or_default();
    let init: Vec<Value> =
        spec.init_containers.iter().flatten().map(|c| container_status(facts, c, true)).collect();
    let containers: Vec<Value> = spec.containers.iter().map(|c| container_status(facts, c, false)).collect();
    let initialized = init.iter().all(|status| exit_code(status) == Some(0));
    let ready = !containers.is_empty() && containers.iter().all(|status| status["ready"] == true);
    let phase = phase(facts, &init, &containers);
    let mut ips: Vec<String> =
        facts.sandbox.into_iter().flat_map(|s| &s.ips).map(ToString::to_string).collect();
    if spec.host_network == Some(true) && facts.sandbox.is_some() {
        ips = vec![facts.host_ip.clone()];
    }
    let mut status = json!({
        "phase": phase,
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "containerStatuses": containers,
        "conditions": conditions(facts, initialized, ready, phase),
    });
    if !init.is_empty() {
        status["initContainerStatuses"] = init.into();
    }
    if let Some(ip) = ips.first() {
        status["podIP"] = ip.as_str().into();
        status["podIPs"] = ips.iter().map(|ip| json!({"ip": ip})).collect();
    }
    status
}

/// Whether a phase is a pod's last.
pub(crate) fn is_final(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

fn phase(facts: &Facts<'_>, init: &[Value], containers: &[Value]) -> &'static str {
    let spec = facts.pod.spec.as_ref();
    let policy = spec.and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
    let leaving = facts.pod.metadata.deletion_timestamp.is_some();
    let stays = |code: i64| leaving || policy == "Never" || (policy == "OnFailure" && code == 0);
    if init.iter().filter_map(exit_code).any(|code| code != 0 && stays(code)) {
        return "Failed";
    }
    if init.iter().any(|status| exit_code(status) != Some(0)) {
        return "Pending";
    }
    let codes: Vec<Option<i64>> = containers.iter().map(exit_code).collect();
    if codes.iter().all(|code| code.is_some_and(stays)) {
        return if codes.iter().all(|code| *code == Some(0)) { "Succeeded" } else { "Failed" };
    }
    let started = |status: &Value| status["containerID"].is_string() || exit_code(status).is_some();
    if containers.iter().all(|status| !started(status)) { "Pending" } else { "Running" }
}

fn conditions(facts: &Facts<'_>, initialized: bool, ready: bool, phase: &str) -> Value {
    let not_ready = match phase {
        "Succeeded" => "PodCompleted",
        "Failed" => "PodFailed",
        _ => "ContainersNotReady",
    };
    let sandbox = facts.sandbox.is_some_and(|sandbox| sandbox.alive);
    let all = [
        ("PodReadyToStartContainers", sandbox, ""),
        ("Initialized", initialized, "ContainersNotInitialized"),
        ("Ready", ready, not_ready),
        ("ContainersReady", ready, not_ready),
        ("PodScheduled", true, ""),
    ];
    let condition = |(kind, holds, reason): (&str, bool, &str)| {
        let mut condition = json!({"type": kind, "status": if holds { "True" } else { "False" }});
        if !holds && !reason.is_empty() {
            condition["reason"] = reason.into();
        }
        condition
    };
    all.into_iter().map(condition).collect()
}
