//! What a pod and its containers ask of the runtime: values only, every reference resolved by the agent.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A pod's sandbox: its namespaces, its address, its files under /etc.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxSpec {
    /// The pod's uid: the sandbox's only key.
    pub pod_uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The hostname inside, at most 63 bytes. Not used with `host_network`.
    pub hostname: String,
    /// The full name (`host.subdomain.ns.svc.cluster.local`), where the pod has a subdomain.
    pub fqdn: Option<String>,
    /// Stay in the agent's network namespace; no address is allocated.
    pub host_network: bool,
    /// Use the host's process ids.
    pub host_pid: bool,
    /// Use the host's IPC namespace.
    pub host_ipc: bool,
    /// Lines to add to /etc/hosts.
    pub host_aliases: Vec<HostAlias>,
    /// The contents of /etc/resolv.conf; the host's are used where they are absent (see [`crate::host_resolv_conf`]).
    pub resolv_conf: Option<String>,
    /// Limits over the whole pod, where they can be computed.
    pub resources: Resources,
    /// The folder for the pod's container logs; made where it is not there.
    pub log_dir: PathBuf,
}

/// One address and its names for /etc/hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAlias {
    /// The address.
    pub ip: String,
    /// Its names.
    pub names: Vec<String>,
}

/// One container of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// Unique in the pod: by custom `<container name>-<attempt>`. Letters, digits, `-`, `_` and `.` only.
    pub id: String,
    /// The image's name, as the user wrote it.
    pub image: String,
    /// Replaces the image's entrypoint; where it is set, the image's cmd is dropped too.
    pub command: Vec<String>,
    /// Replaces the image's cmd.
    pub args: Vec<String>,
    /// Replaces the image's working directory.
    pub working_dir: Option<String>,
    /// Added to the image's environment, later ones win.
    pub env: Vec<(String, String)>,
    /// What is mounted into the container, in this order.
    pub mounts: Vec<Mount>,
    /// cgroup limits.
    pub resources: Resources,
    /// Rights and identity.
    pub security: Security,
    /// The log file, in CRI format. Its folder is made where it is not there.
    pub log_path: PathBuf,
    /// Give it a terminal. Its output then goes to the log as stdout.
    pub tty: bool,
    /// Keep stdin open for `attach`; else it reads an empty file.
    pub stdin: bool,
    /// Close stdin when whoever attached to it first has left.
    pub stdin_once: bool,
}

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it comes from.
    pub source: MountSource,
    /// The absolute path inside the container. It is made where the image does not have it.
    pub target: PathBuf,
    /// Refuse writes.
    pub read_only: bool,
    /// See mounts that the host makes below the source later (`HostToContainer`).
    pub propagate: bool,
}

impl Mount {
    /// A bind mount of a file or folder of the host.
    pub fn bind(source: impl Into<PathBuf>, target: impl Into<PathBuf>, read_only: bool) -> Mount {
        Mount { source: MountSource::Bind(source.into()), target: target.into(), read_only, propagate: false }
    }
}

/// Where a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or folder of the host; it must be there.
    Bind(PathBuf),
    /// A part of a volume, whose contents are a container's to change: links are followed as they are at the start,
    /// and never out of it. A folder is made where nothing is there, as the volume's own.
    Below {
        /// The volume's folder on the host.
        volume: PathBuf,
        /// The part's path below it. It may hold what is secret, and stands in no message.
        path: PathBuf,
        /// How messages name it: the path as the user wrote it.
        written: String,
    },
    /// Memory, private to this container and gone with it.
    Tmpfs {
        /// Its limit in bytes.
        size_bytes: Option<u64>,
    },
}

/// cgroup limits; what is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The CPU request as a weight, in millicores (1000 is one core). It is what shares a busy machine.
    pub cpu_request_millis: Option<u64>,
    /// The CPU limit in millicores, as a quota per 100 ms.
    pub cpu_limit_millis: Option<u64>,
    /// The memory limit in bytes; a container over it is killed.
    pub memory_limit_bytes: Option<u64>,
    /// The number of processes and threads.
    pub pids_limit: Option<u64>,
    /// What the OOM killer adds to its score. A value that the host does not permit is left out.
    pub oom_score_adj: Option<i32>,
}

/// A container's rights and identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Every capability, every device, nothing masked, no seccomp.
    pub privileged: bool,
    /// Replaces the image's user.
    pub run_as_user: Option<u32>,
    /// Replaces the user's primary group.
    pub run_as_group: Option<u32>,
    /// Refuse to start as uid 0.
    pub run_as_non_root: bool,
    /// Added groups (`supplementalGroups` and `fsGroup`).
    pub supplemental_groups: Vec<u32>,
    /// The image's files cannot be written.
    pub read_only_root: bool,
    /// Capabilities beside the default set, without `CAP_`; `ALL` is every one.
    pub add_capabilities: Vec<String>,
    /// Capabilities taken away, without `CAP_`; `ALL` is every one.
    pub drop_capabilities: Vec<String>,
    /// Set no_new_privs (`allowPrivilegeEscalation: false`).
    pub no_new_privileges: bool,
    /// Leave out the default seccomp profile.
    pub seccomp_unconfined: bool,
}
