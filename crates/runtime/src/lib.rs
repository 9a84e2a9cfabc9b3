//! Everything below a pod: images, sandboxes, shims, containers and the pod network.
//!
//! The agent drives it through the [`Runtime`] trait and never learns how a container is made. [`NodeRuntime`] is the
//! real one; [`fake::FakeRuntime`] is the one tests use. Nothing in this crate knows the Kubernetes API: a pod arrives
//! as a [`SandboxSpec`] and some [`ContainerSpec`]s whose references are all resolved.

mod cgroup;
mod disk;
mod error;
mod mount_api;
mod network;
mod node;
mod resolv_conf;
mod shim;
mod spec;
mod status;
mod usage;

pub mod fake;
pub mod image;
pub mod runtime;

pub use disk::{DiskUsage, disk_usage};
pub use error::RuntimeError;
pub use node::{NodeRuntime, RuntimeConfig};
pub use resolv_conf::of_host as host_resolv_conf;
pub use runtime::{
    ExecEvent, ExecHandle, ExecInput, ExecOptions, ExecOutcome, NodeNetwork, Runtime, RuntimeEvent,
    TerminalSize,
};
pub use shim::shim_main;
pub use spec::{ContainerSpec, HostAlias, Mount, MountSource, Resources, SandboxSpec, Security};
pub use status::{ContainerPhase, ContainerState, ImageInfo, Sandbox};
pub use usage::{ContainerUsage, LayerUsage, PodUsage, Usage};
