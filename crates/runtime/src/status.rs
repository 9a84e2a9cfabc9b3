//! What the runtime knows of its sandboxes, containers and images.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A sandbox and its containers, as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The pod's uid.
    pub pod_uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's addresses; empty for a pod in the host's network.
    pub ips: Vec<IpAddr>,
    /// The shim's process id.
    pub pid: u32,
    /// True until the shim is found dead or gone, or was stopped: then nothing runs in it any more. To run again, the
    /// sandbox must be removed.
    pub alive: bool,
    /// Nothing is held for it any more, no process, no address, no cgroup: what is left is this record.
    pub stopped: bool,
    /// Every container that was started and not removed, in the order of their starts.
    pub containers: Vec<ContainerState>,
}

/// One container of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// Its id, as in [`crate::ContainerSpec`].
    pub id: String,
    /// The image's name, as it was asked for.
    pub image: String,
    /// The image's digest: `sha256:…` of its manifest.
    pub image_digest: String,
    /// Its first process, as the host counts; 0 once it has ended.
    pub pid: u32,
    /// When its command began to run.
    pub started_at: Timestamp,
    /// Running, or how it ended.
    pub phase: ContainerPhase,
}

/// Running, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerPhase {
    /// It runs.
    Running,
    /// It has ended.
    Exited {
        /// The exit code; 128 + the signal where a signal ended it.
        code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
        /// When.
        finished_at: Timestamp,
        /// The kernel killed it for its memory limit.
        oom_killed: bool,
    },
}

/// An image on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Its normalised names, sorted.
    pub names: Vec<String>,
    /// `sha256:…` of its manifest.
    pub digest: String,
    /// Its compressed size in bytes.
    pub size_bytes: u64,
}
