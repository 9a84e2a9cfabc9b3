//! The trait between the agent and what runs containers, and the types of its streams.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};

use crate::{ContainerSpec, ImageInfo, RuntimeError, Sandbox, SandboxSpec};

/// What an exec's output may hold before [`Runtime::exec_sync`] drops the rest.
const EXEC_SYNC_OUTPUT_BYTES: usize = 64 * 1024;

/// Runs sandboxes and their containers. Every call may be repeated: what is done already is not done twice, what is
/// gone stays gone. All of it survives the caller: after a restart, [`Runtime::list`] tells what is there.
#[async_trait::async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Makes a sandbox: network, cgroup, shim. Where it is there already and alive, it is returned as it is.
    async fn run_sandbox(&self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError>;

    /// Kills what is left in it and gives back what it holds: processes, mounts, cgroups, its address, writable layers.
    /// What is known of its containers stays, and so do their logs. Idempotent.
    async fn stop_sandbox(&self, pod_uid: &str) -> Result<(), RuntimeError>;

    /// As [`Runtime::stop_sandbox`], and forgets it: nothing but its logs is left. Idempotent.
    async fn remove_sandbox(&self, pod_uid: &str) -> Result<(), RuntimeError>;

    /// Starts a container and returns once its command runs. A command that cannot run is [`RuntimeError::Start`].
    async fn start_container(&self, pod_uid: &str, spec: ContainerSpec) -> Result<(), RuntimeError>;

    /// Sends a signal to a container's first process; the others die with it. SIGTERM is sent as the
    /// image's stop signal, where it names one. Ended already is no error.
    async fn signal_container(&self, pod_uid: &str, id: &str, signal: i32) -> Result<(), RuntimeError>;

    /// Kills it where it runs, and forgets it, its mounts and its cgroup. Its log stays. Idempotent.
    async fn remove_container(&self, pod_uid: &str, id: &str) -> Result<(), RuntimeError>;

    /// Runs a command in a container. Dropping the handle kills it.
    async fn exec(
        &self,
        pod_uid: &str,
        id: &str,
        command: Vec<String>,
        options: ExecOptions,
    ) -> Result<ExecHandle, RuntimeError>;

    /// Joins the streams of a running container: its output from now on, and its stdin where `stdin` says so and it has
    /// one. Dropping the handle leaves the container as it is.
    async fn attach(&self, pod_uid: &str, id: &str, stdin: bool) -> Result<ExecHandle, RuntimeError>;

    /// Connects to a port inside the pod, by its own loopback.
    async fn connect(&self, pod_uid: &str, port: u16) -> Result<TcpStream, RuntimeError>;

    /// Every sandbox on this node, sorted by uid.
    async fn list(&self) -> Result<Vec<Sandbox>, RuntimeError>;

    /// Hints that a sandbox changed: look again. Some may be lost; a lagging receiver lists everything.
    fn events(&self) -> broadcast::Receiver<RuntimeEvent>;

    /// Tells the node's own pod ranges and its peers'. Before the first call, only pods in the host's network can be
    /// made. Routes that are not named any more are removed.
    async fn set_network(&self, network: NodeNetwork) -> Result<(), RuntimeError>;

    /// The image of that name, or nothing where it is not on this node.
    async fn image_status(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError>;

    /// Every image on this node.
    async fn list_images(&self) -> Result<Vec<ImageInfo>, RuntimeError>;

    /// What each running container has used so far. Nothing where a runtime does not count.
    async fn usage(&self) -> Result<Vec<crate::ContainerUsage>, RuntimeError> {
        Ok(Vec::new())
    }

    /// What each pod takes together at this moment. Nothing where a runtime does not count.
    async fn pod_usage(&self) -> Result<Vec<crate::PodUsage>, RuntimeError> {
        Ok(Vec::new())
    }

    /// What each container has written over its image. It reads every folder of theirs: seldom, please. Nothing where
    /// a runtime does not count.
    async fn layer_usage(&self) -> Result<Vec<crate::LayerUsage>, RuntimeError> {
        Ok(Vec::new())
    }

    /// Removes from the disk what is left of images that have no name any more and that no container uses. Whether
    /// there was anything. An image with a name stays: nobody could bring it back.
    async fn reclaim_images(&self) -> Result<bool, RuntimeError> {
        Ok(false)
    }

    /// Runs a command to its end, its output cut at 64 KiB. After `timeout` it is killed: [`RuntimeError::ExecTimeout`].
    async fn exec_sync(
        &self,
        pod_uid: &str,
        id: &str,
        command: Vec<String>,
        timeout: Duration,
    ) -> Result<ExecOutcome, RuntimeError> {
        let collected = async {
            let handle = self.exec(pod_uid, id, command, ExecOptions::default()).await?;
            Ok(collect(handle).await)
        };
        match tokio::time::timeout(timeout, collected).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RuntimeError::ExecTimeout { after_ms: timeout.as_millis() as u64 }),
        }
    }
}

/// Reads an exec to its end.
async fn collect(mut handle: ExecHandle) -> ExecOutcome {
    let mut outcome = ExecOutcome { exit_code: -1, output: Vec::new() };
    while let Some(event) = handle.output.recv().await {
        match event {
            ExecEvent::Stdout(bytes) | ExecEvent::Stderr(bytes) => {
                let room = EXEC_SYNC_OUTPUT_BYTES - outcome.output.len();
                outcome.output.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            ExecEvent::Exit(code) => outcome.exit_code = code,
        }
    }
    outcome
}

/// Where pods' addresses come from, and where other nodes' pods are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeNetwork {
    /// This node's own ranges (`10.42.1.0/24`). IPv4 only so far; others are left out.
    pub pod_cidrs: Vec<String>,
    /// Other nodes' ranges and the node's address, which must be on a network of this host.
    pub peers: Vec<(String, IpAddr)>,
}

/// A sandbox changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeEvent {
    /// Whose.
    pub pod_uid: String,
}

/// How a command is run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOptions {
    /// Connect stdin to the handle's input; else it reads an empty file.
    pub stdin: bool,
    /// Give it a terminal; all its output is then stdout.
    pub tty: bool,
    /// The terminal's size from its first moment on.
    pub size: Option<TerminalSize>,
}

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Characters per line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A running command, or a container that was attached to.
#[derive(Debug)]
pub struct ExecHandle {
    /// What goes in. Closing it closes stdin.
    pub input: mpsc::Sender<ExecInput>,
    /// What comes out; its last event is [`ExecEvent::Exit`], unless the container's shim died or an attachment ended
    /// before its container.
    pub output: mpsc::Receiver<ExecEvent>,
}

/// What goes into a running command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecInput {
    /// Bytes for its stdin.
    Stdin(Bytes),
    /// The end of its stdin.
    CloseStdin,
    /// The terminal's new size.
    Resize(TerminalSize),
}

/// What comes out of a running command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEvent {
    /// Bytes of its stdout.
    Stdout(Bytes),
    /// Bytes of its stderr.
    Stderr(Bytes),
    /// Its end: the exit code, 128 + the signal where a signal ended it, 126 or 127 where it could not be run.
    Exit(i32),
}

/// The end of a command, with what it wrote to stdout and stderr, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutcome {
    /// The exit code.
    pub exit_code: i32,
    /// stdout and stderr, mixed.
    pub output: Vec<u8>,
}
