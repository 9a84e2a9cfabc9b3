//! What can go wrong below a pod, with the reason a Kubernetes user expects to read in the pod's status.

/// An error of the runtime. Its text names what failed and is fit for an event.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// No image of that name is on this node.
    #[error("image {image:?} is not on this node; import it with `xebec image import`")]
    ImageNotFound {
        /// The name that was asked for.
        image: String,
    },
    /// The image is there and cannot be used.
    #[error("image {image:?}: {message}")]
    Image {
        /// The image's name or the archive's path.
        image: String,
        /// What is wrong with it.
        message: String,
    },
    /// The request asks for something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The container was made, or could have been, and its command did not start.
    #[error("cannot start {command:?}: {message}")]
    Start {
        /// The command's first word.
        command: String,
        /// The cause.
        message: String,
        /// What a shell would report: 127 for a command that is not there, 126 for one that cannot be run, else 128.
        exit_code: i32,
    },
    /// There is no sandbox of that pod.
    #[error("no sandbox for pod {pod_uid}")]
    NoSandbox {
        /// The pod's uid.
        pod_uid: String,
    },
    /// The sandbox has no such container, or it does not run.
    #[error("no running container {id:?} in pod {pod_uid}")]
    NoContainer {
        /// The pod's uid.
        pod_uid: String,
        /// The container's id.
        id: String,
    },
    /// A sandbox or container of that id is already there.
    #[error("{what} already exists")]
    Exists {
        /// What is there already.
        what: String,
    },
    /// The command did not end in time and was killed.
    #[error("command timed out after {after_ms} ms")]
    ExecTimeout {
        /// The time it had, in milliseconds.
        after_ms: u64,
    },
    /// Nothing in the pod takes connections there.
    #[error("connecting to port {port} in the pod: {source}")]
    Connect {
        /// The port.
        port: u16,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The pod network could not be changed or has no address left.
    #[error("pod network: {0}")]
    Network(String),
    /// The shim did not answer as agreed.
    #[error("shim of pod {pod_uid}: {message}")]
    Shim {
        /// The pod's uid.
        pod_uid: String,
        /// What happened.
        message: String,
    },
    /// A file, a mount or a process call failed.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl RuntimeError {
    /// Names what was being done when `source` came up.
    pub fn io(context: impl Into<String>, source: impl Into<std::io::Error>) -> RuntimeError {
        RuntimeError::Io { context: context.into(), source: source.into() }
    }

    /// The reason that a waiting or terminated container shows for this error.
    pub fn reason(&self) -> &'static str {
        match self {
            RuntimeError::ImageNotFound { .. } => "ErrImageNeverPull",
            RuntimeError::Image { .. } => "ErrImagePull",
            RuntimeError::Invalid(_) | RuntimeError::Exists { .. } => "CreateContainerConfigError",
            RuntimeError::Start { .. } => "StartError",
            RuntimeError::Network(_) | RuntimeError::NoSandbox { .. } => "CreatePodSandboxError",
            RuntimeError::NoContainer { .. }
            | RuntimeError::ExecTimeout { .. }
            | RuntimeError::Connect { .. }
            | RuntimeError::Shim { .. }
            | RuntimeError::Io { .. } => "CreateContainerError",
        }
    }
}
