//! What is said of a pod: a pure function of its spec, its sandbox and its probes, with
//! Kubernetes' own phases and reasons. [`merge`] lays it over what the API has.

mod conditions;
mod container;
mod merge;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_runtime::Sandbox;

use self::container::{Status, container_status};
pub(crate) use self::merge::{merge, same};
use crate::pod::machine::{self, Memory, is_repeated};

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
    let init: Vec<Status> =
        spec.init_containers.iter().flatten().map(|c| container_status(facts, c, true)).collect();
    let containers: Vec<Status> = spec.containers.iter().map(|c| container_status(facts, c, false)).collect();
    let phase = phase(facts, &init, &containers);
    let mut ips: Vec<String> =
        facts.sandbox.into_iter().flat_map(|s| &s.ips).map(ToString::to_string).collect();
    if spec.host_network == Some(true) && facts.sandbox.is_some() {
        ips = vec![facts.host_ip.clone()];
    }
    let values = |statuses: &[Status]| statuses.iter().map(|status| status.value.clone()).collect::<Value>();
    let mut status = json!({
        "phase": phase,
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "conditions": conditions::of(facts, &init, &containers, phase),
    });
    // Of a pod that its node did not take in, nobody waits for a container.
    if facts.memory.failure.is_none() || is_begun(facts) {
        status["containerStatuses"] = values(&containers);
        if !init.is_empty() {
            status["initContainerStatuses"] = values(&init);
        }
    }
    if let Some(ip) = ips.first() {
        status["podIP"] = ip.as_str().into();
        status["podIPs"] = ips.iter().map(|ip| json!({"ip": ip})).collect();
    }
    if let Some(failure) = &facts.memory.failure {
        status["reason"] = failure.reason.into();
        status["message"] = failure.message.as_str().into();
    }
    status
}

/// Whether anything was ever done for the pod here.
fn is_begun(facts: &Facts<'_>) -> bool {
    facts.sandbox.is_some() || !facts.memory.newest.is_empty() || statuses(facts.pod).next().is_some()
}

/// Whether a phase is a pod's last.
pub(crate) fn is_final(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

/// Whether the API has the pod's last phase: nothing in it starts again.
pub(crate) fn in_last_phase(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_some_and(is_final)
}

/// What the API has of the pod's containers, the init ones first.
pub(crate) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}

/// Whether the API has a container as one that runs.
pub(crate) fn says_running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.running.is_some())
}

/// A run as the API names it.
pub(crate) fn container_id(uid: &str, run: &str) -> String {
    format!("xebec://{uid}/{run}")
}

/// A pod as Kubernetes' texts name it: `NAME_NAMESPACE(UID)`.
pub(crate) fn full_name(pod: &Object) -> String {
    format!("{}_{}({})", pod.name(), pod.namespace(), pod.uid())
}

fn phase(facts: &Facts<'_>, init: &[Status], containers: &[Status]) -> &'static str {
    if facts.memory.failure.is_some() {
        return "Failed";
    }
    let policy = machine::policy(facts.pod);
    let leaving = facts.pod.metadata.deletion_timestamp.is_some();
    let stays = |status: &Status, code: i32| {
        leaving || !is_repeated(status.policy.as_deref().unwrap_or(policy), code)
    };
    let init_policy = if policy == "Never" { "Never" } else { "OnFailure" };
    let failed = |status: &&Status| !status.is_sidecar && status.exit_code().is_some_and(|code| code != 0);
    if init.iter().any(|status| failed(&status)) && (leaving || init_policy == "Never") {
        return "Failed";
    }
    if init.iter().any(|status| !status.is_past) {
        return "Pending";
    }
    let codes: Vec<Option<i32>> = containers.iter().map(Status::exit_code).collect();
    let over = containers.iter().all(|status| status.exit_code().is_some_and(|code| stays(status, code)));
    let sidecar_runs = init.iter().any(|status| status.is_sidecar && status.is_running());
    if over && !sidecar_runs {
        return if codes.iter().all(|code| *code == Some(0)) { "Succeeded" } else { "Failed" };
    }
    if containers.iter().any(Status::is_unbegun) { "Pending" } else { "Running" }
}
