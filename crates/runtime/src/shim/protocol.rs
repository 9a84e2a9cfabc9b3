//! What an agent and a shim say to each other, as JSON documents in frames.
//!
//! A shim outlives the agent that started it, so the two may be of different versions. Fields and requests are only
//! added. A request carries the version it needs at least; a shim refuses what is newer than itself.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::image::ProcessConfig;
use crate::{ContainerSpec, ContainerState, MountSource, SandboxSpec, TerminalSize};

/// The version of this protocol: 2 added [`Request::Attach`], 3 [`MountSource::Below`].
pub(crate) const VERSION: u32 = 3;
/// The control socket's name in the sandbox's folder.
pub(crate) const SOCKET: &str = "shim.sock";
/// What the agent wrote for the shim: a [`ShimConfig`].
pub(crate) const CONFIG: &str = "config.json";
/// What the shim wrote about itself: a [`ShimIdentity`].
pub(crate) const IDENTITY: &str = "shim.json";
/// The containers as the shim last knew them: a [`Response::State`].
pub(crate) const STATE: &str = "state.json";

/// What a shim is started with; never changed after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShimConfig {
    /// The pod.
    pub(crate) spec: SandboxSpec,
    /// The pod's addresses.
    pub(crate) ips: Vec<IpAddr>,
    /// The pod's cgroup, absolute below each hierarchy.
    pub(crate) cgroup: String,
    /// The folder for sockets, bundles and the files under /etc.
    pub(crate) run_dir: PathBuf,
    /// The folder for the containers' writable layers, on a real disk.
    pub(crate) work_dir: PathBuf,
}

/// Which process the shim is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShimIdentity {
    /// Its process id.
    pub(crate) pid: i32,
    /// When it started, in the kernel's ticks since the boot.
    pub(crate) start_ticks: u64,
    /// Which boot: the three together name one process for ever.
    pub(crate) boot_id: String,
    /// The protocol it speaks.
    pub(crate) version: u32,
}

/// A request and the version it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) version: u32,
    pub(crate) request: Request,
}

/// What an agent asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The containers: one [`Response::State`].
    State,
    /// The containers now and after every change: many [`Response::State`].
    Watch,
    /// Starts a container: [`Response::Done`] once its command runs.
    Start(Box<StartRequest>),
    /// Sends a signal to a container's first process.
    Signal {
        /// Which container.
        id: String,
        /// Which signal.
        signal: i32,
    },
    /// Kills and forgets a container.
    Remove {
        /// Which container.
        id: String,
    },
    /// Runs a command: [`Response::Done`], then frames of output, then [`Response::Exit`]. The connection is the
    /// command's: closing it kills the command.
    Exec {
        /// Which container.
        id: String,
        /// The command.
        command: Vec<String>,
        /// Whether its stdin is connected.
        stdin: bool,
        /// Whether it has a terminal.
        tty: bool,
        /// The terminal's size from its first moment on. Older shims do not know it.
        #[serde(default)]
        size: Option<TerminalSize>,
    },
    /// Joins the streams of a container: [`Response::Done`], then frames of output as it comes, then [`Response::Exit`]
    /// when the container ends. Closing the connection leaves the container as it is.
    Attach {
        /// Which container.
        id: String,
        /// Whether frames of stdin are passed on, where the container has one.
        stdin: bool,
    },
    /// No more stdin for this connection's command.
    CloseStdin,
    /// The size of this connection's terminal.
    Resize {
        /// Characters per line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// Kills everything, answers, exits.
    Shutdown,
}

impl Request {
    /// The version of the protocol that brought it.
    pub(crate) fn since(&self) -> u32 {
        let below = |mount: &crate::Mount| matches!(mount.source, MountSource::Below { .. });
        match self {
            Request::Attach { .. } => 2,
            Request::Start(start) if start.spec.mounts.iter().any(below) => 3,
            _ => 1,
        }
    }
}

/// A container to start, with its image resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartRequest {
    /// What was asked for.
    pub(crate) spec: ContainerSpec,
    /// The manifest's digest.
    pub(crate) image_digest: String,
    /// The unpacked layers, lowest first.
    pub(crate) layers: Vec<PathBuf>,
    /// The image's own settings.
    pub(crate) process: ProcessConfig,
}

/// What a shim answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Response {
    /// It is done; what had to be left out is said.
    Done {
        /// One sentence each.
        warnings: Vec<String>,
    },
    /// The containers.
    State {
        /// Grows with every change, so that a late answer is known as one.
        revision: u64,
        /// In the order of their starts.
        containers: Vec<ContainerState>,
    },
    /// The command or the container of this connection has ended.
    Exit(i32),
    /// It was not done.
    Failed(Failure),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure {
    /// There is no such container, or it does not run.
    NoContainer,
    /// There is one already.
    Exists,
    /// The request asks for something that cannot be.
    Invalid(String),
    /// The command could not be run.
    Start {
        /// Its first word.
        command: String,
        /// Why.
        message: String,
        /// 126, 127 or 128.
        exit_code: i32,
    },
    /// Anything else.
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_ends_say_is_still_understood() {
        let exec =
            r#"{"version":1,"request":{"Exec":{"id":"a-0","command":["ls"],"stdin":false,"tty":true}}}"#;
        let envelope: Envelope = serde_json::from_str(exec).expect("an exec of version 1");
        let request = Request::Exec {
            id: "a-0".into(),
            command: vec!["ls".into()],
            stdin: false,
            tty: true,
            size: None,
        };
        assert_eq!(envelope, Envelope { version: 1, request });
        assert_eq!(envelope.request.since(), 1);
    }
}
