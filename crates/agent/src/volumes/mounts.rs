//! Where a container sees its volumes: what is set up already, as the runtime takes it.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};
use xebec_runtime::{Mount, MountSource};

use super::{path, service_account, volumes};
use crate::environment::expand;
use crate::pod::worker::Bound;
use crate::run::Agent;

/// A container's mounts, in their order.
///
/// # Errors
/// A mount of a volume that the pod does not have.
pub(crate) fn mounts(
    agent: &Agent,
    bound: &Bound,
    container: &Container,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes(bound).find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| format!("volume {:?} is not in the pod's volumes", mount.name))?;
        let folder = match &volume.host_path {
            Some(host) => PathBuf::from(&host.path),
            None => path(agent, bound, &volume.name),
        };
        let source = match sub_path(mount, env) {
            Some((path, written)) => MountSource::Below { volume: folder, path, written },
            None => MountSource::Bind(folder),
        };
        let read_only = mount.read_only.unwrap_or(false) || is_filled(volume);
        let propagate =
            matches!(mount.mount_propagation.as_deref(), Some("HostToContainer" | "Bidirectional"));
        mounts.push(Mount { source, target: (&mount.mount_path).into(), read_only, propagate });
    }
    let source = path(agent, bound, service_account::VOLUME);
    if service_account::is_mounted(&source, container) {
        mounts.push(Mount::bind(source, service_account::FOLDER, true));
    }
    Ok(mounts)
}

/// A volume that the API fills: nobody else writes to it.
fn is_filled(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
}

/// The part of the volume that is mounted, and how messages name it: what its variables hold may be secret.
fn sub_path(mount: &VolumeMount, env: &dyn Fn(&str) -> Option<String>) -> Option<(PathBuf, String)> {
    let (path, written) = match (&mount.sub_path_expr, &mount.sub_path) {
        (Some(text), _) => (expand(text, env), text),
        (None, Some(path)) => (path.clone(), path),
        (None, None) => return None,
    };
    (!path.is_empty()).then(|| (path.into(), written.clone()))
}
