//! A container of a pod's spec as the runtime takes it: every reference resolved.

use k8s_openapi::api::core::v1::{Container, Pod};
use xebec_runtime::{ContainerSpec, Resources, RuntimeError, Security};

use crate::environment::{self, expand};
use crate::node_object;
use crate::pod::machine::run_id;
use crate::pod::sandboxes::log_dir;
use crate::pod::worker::Bound;
use crate::pod::{oom, resources, termination};
use crate::run::Agent;
use crate::volumes;

/// Why a run did not start, as a pod's status says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotStarted {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Where the command could not be run: what a shell would have ended with.
    pub(crate) exit_code: Option<i32>,
    /// It waits for a volume.
    volume: bool,
    /// The image that is not there.
    image: Option<String>,
}

impl NotStarted {
    /// What it names is not there, or does not fit.
    pub(crate) fn config(message: String) -> Self {
        Self { reason: "CreateContainerConfigError", message, exit_code: None, volume: false, image: None }
    }

    /// A volume is not ready: the container is still being created.
    pub(crate) fn volume(message: String) -> Self {
        Self { reason: "ContainerCreating", message, exit_code: None, volume: true, image: None }
    }

    /// What the runtime says.
    pub(crate) fn of(error: &RuntimeError, bound: &Bound, container: &str) -> Self {
        let (reason, exit_code) = match error {
            RuntimeError::ImageNotFound { .. } if never_pulls(&bound.pod, container) => {
                ("ErrImageNeverPull", None)
            }
            RuntimeError::ImageNotFound { .. } | RuntimeError::Image { .. } => ("ErrImagePull", None),
            RuntimeError::Start { exit_code, .. } => ("RunContainerError", Some(*exit_code)),
            RuntimeError::Invalid(_) => ("CreateContainerConfigError", None),
            _ => ("CreateContainerError", None),
        };
        let image = find(&bound.pod, container).and_then(|container| container.image.clone());
        let message = match (error, &image) {
            (RuntimeError::Start { command, message, .. }, _) => {
                format!("cannot start {:?}: {message}", written(bound, container, command))
            }
            _ => error.to_string(),
        };
        let message = match (reason, &image) {
            ("ErrImageNeverPull", Some(image)) => {
                format!("Container image {image:?} is not present with pull policy of Never")
            }
            _ => message,
        };
        Self { reason, message, exit_code, volume: false, image }
    }

    /// The reasons and the messages of its events.
    pub(crate) fn events(&self) -> Vec<(&'static str, String)> {
        if self.volume {
            return vec![("FailedMount", self.message.clone())];
        }
        let short = ("Failed", format!("Error: {}", self.reason));
        match (self.reason, &self.image) {
            ("ErrImagePull", Some(image)) => {
                vec![("Failed", format!("Failed to pull image {image:?}: {}", self.message)), short]
            }
            ("ErrImageNeverPull", _) => vec![("ErrImageNeverPull", self.message.clone()), short],
            _ => vec![("Failed", format!("Error: {}", self.message))],
        }
    }
}

/// A command's first word as the pod has it: what its variables hold may be secret.
fn written<'a>(bound: &'a Bound, container: &str, expanded: &'a str) -> &'a str {
    let Some(container) = find(&bound.pod, container) else { return expanded };
    if let Some(first) = container.command.as_ref().and_then(|words| words.first()) {
        return first;
    }
    let first = container.args.as_ref().and_then(|words| words.first());
    first.filter(|first| first.contains("$(")).map_or(expanded, String::as_str)
}

fn never_pulls(pod: &Pod, name: &str) -> bool {
    find(pod, name).is_some_and(|container| container.image_pull_policy.as_deref() == Some("Never"))
}

pub(crate) fn find<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let spec = pod.spec.as_ref()?;
    spec.init_containers.iter().flatten().chain(&spec.containers).find(|container| container.name == name)
}

/// The spec of one run.
///
/// # Errors
/// What is missing, for the pod's status.
pub(crate) async fn spec(
    agent: &Agent,
    bound: &Bound,
    name: &str,
    attempt: u32,
    pod_ip: String,
) -> Result<ContainerSpec, NotStarted> {
    let (object, pod) = (&bound.object, &bound.pod);
    let container = find(pod, name).ok_or_else(|| NotStarted::config("no such container".into()))?;
    volumes::set_up(agent, bound, container).await.map_err(NotStarted::volume)?;
    let env = environment::resolve(agent, bound, container, &pod_ip).await;
    let env = env.map_err(NotStarted::config)?;
    let lookup = |name: &str| env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let mut mounts = volumes::mounts(agent, bound, container, &lookup).map_err(NotStarted::config)?;
    let termination = termination::prepare(agent, bound, container, attempt);
    mounts.extend(termination.map_err(|error| NotStarted::config(error.to_string()))?);
    let words =
        |list: &Option<Vec<String>>| list.iter().flatten().map(|word| expand(word, &lookup)).collect();
    Ok(ContainerSpec {
        id: run_id(name, attempt),
        image: container.image.clone().unwrap_or_default(),
        command: words(&container.command),
        args: words(&container.args),
        working_dir: container.working_dir.clone(),
        mounts,
        resources: limits(bound, container),
        security: security(pod, container),
        log_path: log_dir(agent, object.uid()).join(name).join(format!("{attempt}.log")),
        tty: container.tty.unwrap_or(false),
        stdin: container.stdin.unwrap_or(false),
        stdin_once: container.stdin_once.unwrap_or(false),
        env,
    })
}

fn limits(bound: &Bound, container: &Container) -> Resources {
    let score = oom::score(&bound.object, &bound.pod, container, node_object::memory_bytes());
    Resources { oom_score_adj: i32::try_from(score).ok(), ..resources::of_container(container) }
}

fn security(pod: &Pod, container: &Container) -> Security {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let capabilities = own.capabilities.unwrap_or_default();
    let groups = of_pod.supplemental_groups.into_iter().flatten().chain(of_pod.fs_group);
    let profile = own.seccomp_profile.or(of_pod.seccomp_profile);
    Security {
        privileged: own.privileged.unwrap_or(false),
        run_as_user: id(own.run_as_user.or(of_pod.run_as_user)),
        run_as_group: id(own.run_as_group.or(of_pod.run_as_group)),
        run_as_non_root: own.run_as_non_root.or(of_pod.run_as_non_root).unwrap_or(false),
        supplemental_groups: groups.filter_map(|group| id(Some(group))).collect(),
        read_only_root: own.read_only_root_filesystem.unwrap_or(false),
        add_capabilities: capabilities.add.unwrap_or_default(),
        drop_capabilities: capabilities.drop.unwrap_or_default(),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        seccomp_unconfined: profile.is_some_and(|profile| profile.type_ == "Unconfined"),
    }
}
