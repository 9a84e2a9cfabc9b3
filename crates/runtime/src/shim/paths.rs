//! Where the parts of one container lie.

use std::path::PathBuf;

use super::protocol::ShimConfig;

pub(super) struct ContainerPaths {
    /// Its OCI bundle and sockets.
    pub(super) bundle: PathBuf,
    /// Where parts of volumes are mounted while it starts. Nothing in it is ever removed with what it holds.
    pub(super) staging: PathBuf,
    /// Its writable layer and the mount of its root.
    pub(super) work: PathBuf,
    /// libcontainer's own records of the pod's containers.
    pub(super) libcontainer: PathBuf,
}

impl ContainerPaths {
    pub(super) fn of(config: &ShimConfig, id: &str) -> ContainerPaths {
        ContainerPaths {
            bundle: config.run_dir.join("c").join(id),
            staging: config.run_dir.join("v").join(id),
            work: config.work_dir.join(id),
            libcontainer: config.run_dir.join("lc"),
        }
    }
}
