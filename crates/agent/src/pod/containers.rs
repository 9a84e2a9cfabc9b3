//! A container of a pod's spec as the runtime takes it: every reference resolved.

use k8s_openapi::api::core::v1::{Container, Pod};
use xebec_api::object::Object;
use xebec_api::quantity::Quantity;
use xebec_runtime::{ContainerSpec, Resources, RuntimeError, Security};

use crate::environment::{self, expand};
use crate::pod::machine::run_id;
use crate::pod::worker::log_dir;
use crate::run::Agent;
use crate::volumes;

/// The spec of one run.
///
/// # Errors
/// What is missing, for the pod's status.
pub(crate) async fn spec(
    agent: &Agent,
    object: &Object,
    pod: &Pod,
    name: &str,
    attempt: u32,
    pod_ip: String,
) -> Result<ContainerSpec, String> {
    let spec = pod.spec.clone().unwrap_or_default();
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    let container = all.into_iter().find(|container| container.name == name).ok_or("no such container")?;
    let env = environment::resolve(agent, object, pod, container, &pod_ip).await?;
    let lookup = |name: &str| env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let words =
        |list: &Option<Vec<String>>| list.iter().flatten().map(|word| expand(word, &lookup)).collect();
    Ok(ContainerSpec {
        id: run_id(name, attempt),
        image: container.image.clone().unwrap_or_default(),
        command: words(&container.command),
        args: words(&container.args),
        working_dir: container.working_dir.clone(),
        mounts: volumes::mounts(agent, object, pod, container).await?,
        resources: resources(container),
        security: security(pod, container),
        log_path: log_dir(agent, object.uid()).join(name).join(format!("{attempt}.log")),
        tty: container.tty.unwrap_or(false),
        stdin: container.stdin.unwrap_or(false),
        env,
    })
}

/// Why a start failed, as a pod's status says it: the reason, the message, and whether
/// it does not count as a run.
pub(crate) fn failure(error: &RuntimeError) -> (&'static str, String, bool) {
    match error {
        RuntimeError::ImageNotFound { .. } | RuntimeError::Image { .. } => {
            ("ErrImagePull", error.to_string(), true)
        }
        RuntimeError::Start { .. } => ("RunContainerError", error.to_string(), false),
        _ => ("CreateContainerError", error.to_string(), true),
    }
}

fn resources(container: &Container) -> Resources {
    let resources = container.resources.clone().unwrap_or_default();
    let quantity = |list: &Option<std::collections::BTreeMap<String, _>>, key: &str| {
        let found: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> = list.as_ref()?.get(key);
        Quantity::parse(&found?.0).ok()
    };
    let millis = |q: Quantity| u64::try_from(q.millis()).ok();
    let bytes = |q: Quantity| u64::try_from(q.value()).ok();
    Resources {
        cpu_request_millis: quantity(&resources.requests, "cpu").and_then(millis),
        cpu_limit_millis: quantity(&resources.limits, "cpu").and_then(millis),
        memory_limit_bytes: quantity(&resources.limits, "memory").and_then(bytes),
        ..Resources::default()
    }
}

fn security(pod: &Pod, container: &Container) -> Security {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let capabilities = own.capabilities.unwrap_or_default();
    Security {
        privileged: own.privileged.unwrap_or(false),
        run_as_user: id(own.run_as_user.or(of_pod.run_as_user)),
        run_as_group: id(own.run_as_group.or(of_pod.run_as_group)),
        run_as_non_root: own.run_as_non_root.or(of_pod.run_as_non_root).unwrap_or(false),
        supplemental_groups: of_pod
            .supplemental_groups
            .into_iter()
            .flatten()
            .filter_map(|g| id(Some(g)))
            .collect(),
        read_only_root: own.read_only_root_filesystem.unwrap_or(false),
        add_capabilities: capabilities.add.unwrap_or_default(),
        drop_capabilities: capabilities.drop.unwrap_or_default(),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        ..Security::default()
    }
}
