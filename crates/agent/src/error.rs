//! Why an agent does not start, or stops.

use std::io;
use std::path::PathBuf;

/// What happened, to what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration cannot be used.
    #[error("{path}: {why}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Which field, and the fix.
        why: String,
    },
    /// A file of the data folder.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The cluster did not take this node in.
    #[error("join: {0}")]
    Join(String),
    /// A certificate or a key.
    #[error("certificates: {0}")]
    Certificate(String),
    /// What runs containers.
    #[error(transparent)]
    Runtime(#[from] xebec_runtime::RuntimeError),
}
