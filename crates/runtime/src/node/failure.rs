//! A shim's refusals as errors of the runtime.

use crate::RuntimeError;
use crate::shim::protocol::Failure;

impl Failure {
    /// The error; [`RuntimeError::about`] adds the container where it is one's.
    pub(super) fn into_error(self, pod_uid: &str) -> RuntimeError {
        match self {
            Failure::NoContainer => {
                RuntimeError::NoContainer { pod_uid: pod_uid.to_owned(), id: String::new() }
            }
            Failure::Exists => RuntimeError::Exists { what: String::new() },
            Failure::Invalid(message) => RuntimeError::Invalid(message),
            Failure::Start { command, message, exit_code } => {
                RuntimeError::Start { command, message, exit_code }
            }
            Failure::Other(message) => RuntimeError::Shim { pod_uid: pod_uid.to_owned(), message },
        }
    }
}

impl RuntimeError {
    /// Names the container that an error is about.
    pub(super) fn about(self, container: &str) -> RuntimeError {
        match self {
            RuntimeError::NoContainer { pod_uid, .. } => {
                RuntimeError::NoContainer { pod_uid, id: container.to_owned() }
            }
            RuntimeError::Exists { .. } => RuntimeError::Exists { what: format!("container {container:?}") },
            other => other,
        }
    }
}
