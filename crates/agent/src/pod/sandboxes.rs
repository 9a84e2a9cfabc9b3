//! A pod's sandbox as the runtime takes it.

use std::path::PathBuf;

use xebec_runtime::SandboxSpec;

use crate::pod::worker::Bound;
use crate::run::Agent;

pub(crate) fn spec(agent: &Agent, bound: &Bound) -> SandboxSpec {
    let object = &bound.object;
    let spec = bound.pod.spec.clone().unwrap_or_default();
    SandboxSpec {
        pod_uid: object.uid().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        hostname: spec.hostname.unwrap_or_else(|| object.name().to_owned()),
        host_network: spec.host_network.unwrap_or(false),
        host_pid: spec.host_pid.unwrap_or(false),
        host_ipc: spec.host_ipc.unwrap_or(false),
        log_dir: log_dir(agent, object.uid()),
        ..SandboxSpec::default()
    }
}

pub(crate) fn log_dir(agent: &Agent, uid: &str) -> PathBuf {
    agent.config.data_dir.join("logs").join(uid)
}
