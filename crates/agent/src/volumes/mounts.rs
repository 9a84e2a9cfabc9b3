//! Where a container sees its volumes: what is set up already, as the runtime takes it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};
use xebec_runtime::Mount;

use super::{path, service_account, volumes};
use crate::environment::expand;
use crate::pod::worker::Bound;
use crate::run::Agent;

/// A container's mounts, in their order.
///
/// # Errors
/// A `subPath` that does not fit.
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
        let mut source = match &volume.host_path {
            Some(host) => PathBuf::from(&host.path),
            None => path(agent, bound, &volume.name),
        };
        if let Some(sub) = sub_path(mount, env) {
            source = below(&source, &sub)?;
        }
        let read_only = mount.read_only.unwrap_or(false) || is_filled(volume);
        let mut bind = Mount::bind(source, &mount.mount_path, read_only);
        bind.propagate =
            matches!(mount.mount_propagation.as_deref(), Some("HostToContainer" | "Bidirectional"));
        mounts.push(bind);
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

fn sub_path(mount: &VolumeMount, env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let expanded = mount.sub_path_expr.as_ref().map(|text| expand(text, env));
    expanded.or_else(|| mount.sub_path.clone()).filter(|sub| !sub.is_empty())
}

/// What a `subPath` means now: a later change of the volume's contents does not reach it.
/// Links are followed, but not out of the volume.
fn below(volume: &Path, sub: &str) -> Result<PathBuf, String> {
    let outside = || format!("subPath {sub:?} must stay inside its volume");
    if Path::new(sub).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let found = || -> std::io::Result<(PathBuf, PathBuf)> {
        let volume = fs::canonicalize(volume)?;
        let wanted = volume.join(sub);
        if wanted.symlink_metadata().is_err() {
            fs::create_dir_all(&wanted)?;
        }
        Ok((fs::canonicalize(wanted)?, volume))
    };
    let (path, volume) = found().map_err(|error| format!("subPath {sub:?}: {error}"))?;
    if path.starts_with(volume) { Ok(path) } else { Err(outside()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_sub_path_stays_inside_its_volume() {
        let dir = tempfile::tempdir().expect("a folder");
        let volume = fs::canonicalize(dir.path()).expect("a folder").join("v");
        fs::create_dir(&volume).expect("made");
        fs::create_dir(volume.join("..now")).expect("made");
        fs::write(volume.join("..now/color"), "red").expect("written");
        symlink("..now", volume.join("..data")).expect("made");
        symlink("..data/color", volume.join("color")).expect("made");
        symlink("/etc", volume.join("trap")).expect("made");
        assert_eq!(below(&volume, "color"), Ok(volume.join("..now/color")), "the file behind its links");
        assert_eq!(below(&volume, "new/folder"), Ok(volume.join("new/folder")));
        assert!(volume.join("new/folder").is_dir());
        for sub in ["../x", "/etc", "trap", "trap/passwd", "new/../../x"] {
            assert_eq!(below(&volume, sub), Err(format!("subPath {sub:?} must stay inside its volume")));
        }
    }
}
