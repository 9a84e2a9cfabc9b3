//! Why a master does not start, or stops.

use std::io;
use std::path::PathBuf;

/// What happened, to what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
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
    /// A port is in use, or the address is not this host's.
    #[error("{field} = {address:?}: {source}: choose a free port of this host, or stop what listens there")]
    Listen {
        /// The configuration's field.
        field: &'static str,
        /// Its value.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The data folder's identity.
    #[error(transparent)]
    Identity(#[from] xebec_raft::identity::IdentityError),
    /// The replicated store.
    #[error(transparent)]
    Store(#[from] xebec_raft::StartError),
    /// The replicated store, while running.
    #[error(transparent)]
    Propose(#[from] xebec_raft::ProposeError),
    /// A certificate or a key.
    #[error("certificates: {0}")]
    Certificate(String),
    /// One of this master's own keys or certificates is not what was written.
    #[error(
        "{path}: {why}: the data folder is damaged; {}", xebec_raft::identity::rejoin(&.data_dir.join("pki"), .name)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// The master's name.
        name: String,
        /// Its data folder.
        data_dir: PathBuf,
    },
    /// The cluster did not take this master in.
    #[error("join: {0}")]
    Join(String),
    /// Raft has ended by itself: the disk failed, or an entry cannot be applied.
    #[error("this master takes no part any more: {0}: see the log, mend the cause, and start it again")]
    Stopped(String),
    /// It was taken out of the cluster.
    #[error(
        "master {name} was taken out of the cluster, and takes no part any more; to join anew: {}",
        xebec_raft::identity::join_anew(.data_dir)
    )]
    Removed {
        /// Its name.
        name: String,
        /// Its data folder.
        data_dir: PathBuf,
    },
    /// What cannot be done here, such as a first start without a way into a cluster.
    #[error("{0}")]
    Refused(String),
}

impl From<rcgen::Error> for MasterError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl From<rustls::Error> for MasterError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}
