//! What a node may run short of: the kubelet's eviction signals, by their names there.

use serde::Deserialize;

use crate::node_pressure::Kind;

/// A signal. Their order is that in which something is done about them: a node that is out of
/// memory has the least time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Signal {
    #[serde(rename = "memory.available")]
    Memory,
    /// The disk of the data folder.
    #[serde(rename = "nodefs.available")]
    NodeFs,
    #[serde(rename = "nodefs.inodesFree")]
    NodeFsInodes,
    /// The disk of the images, where it is another.
    #[serde(rename = "imagefs.available")]
    ImageFs,
    #[serde(rename = "imagefs.inodesFree")]
    ImageFsInodes,
    #[serde(rename = "pid.available")]
    Pids,
}

/// What pods take and are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Memory,
    EphemeralStorage,
    Inodes,
    Pids,
}

impl Signal {
    pub(crate) fn resource(self) -> Resource {
        match self {
            Self::Memory => Resource::Memory,
            Self::NodeFs | Self::ImageFs => Resource::EphemeralStorage,
            Self::NodeFsInodes | Self::ImageFsInodes => Resource::Inodes,
            Self::Pids => Resource::Pids,
        }
    }

    /// What the node's status says of it.
    pub(crate) fn kind(self) -> Kind {
        match self.resource() {
            Resource::Memory => Kind::Memory,
            Resource::EphemeralStorage | Resource::Inodes => Kind::Disk,
            Resource::Pids => Kind::Pids,
        }
    }

    /// Bytes are told with suffixes of the powers of 1024, what is counted with those of 1000.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self.resource(), Resource::Memory | Resource::EphemeralStorage)
    }
}

impl Resource {
    /// As messages name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Inodes => "inodes",
            Self::Pids => "pids",
        }
    }
}
