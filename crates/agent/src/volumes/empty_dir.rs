//! Folders that live as long as their pod: on the node's disk, or in memory as a tmpfs.
//!
//! A tmpfs is mounted before the pod's sandbox is made, which takes it along: all of the
//! pod's containers share it, also those that start after the agent was restarted.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use k8s_openapi::api::core::v1::EmptyDirVolumeSource;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use xebec_api::quantity::Quantity;

/// Makes the folder, for everybody to write to.
pub(super) fn set_up(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777))
}

pub(super) fn is_memory(volume: &EmptyDirVolumeSource) -> bool {
    volume.medium.as_deref() == Some("Memory")
}

/// Mounts a folder in memory, unless it is there.
pub(super) fn mount_memory(path: &Path, volume: &EmptyDirVolumeSource) -> io::Result<()> {
    set_up(path)?;
    if is_mounted(path)? {
        return Ok(());
    }
    let options = options(volume)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options.as_str()))?)
}

fn options(volume: &EmptyDirVolumeSource) -> io::Result<String> {
    let Some(limit) = &volume.size_limit else { return Ok("mode=0777".to_owned()) };
    let bytes = Quantity::parse(&limit.0).map_err(io::Error::other)?.value();
    if bytes <= 0 {
        return Err(io::Error::other(format!("sizeLimit {:?} must be above zero", limit.0)));
    }
    Ok(format!("mode=0777,size={bytes}"))
}

/// Takes a mount away, where there is one.
pub(super) fn unmount(path: &Path) -> io::Result<()> {
    if path.is_dir() && is_mounted(path)? {
        umount2(path, MntFlags::MNT_DETACH)?;
    }
    Ok(())
}

/// Another device than its folder's begins here.
fn is_mounted(path: &Path) -> io::Result<bool> {
    let parent = path.parent().unwrap_or(path);
    Ok(fs::symlink_metadata(path)?.dev() != fs::symlink_metadata(parent)?.dev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Text;
    use nix::sched::{CloneFlags, unshare};
    use xebec_tests::skips::root_or_skip;

    fn in_memory(limit: Option<&str>) -> EmptyDirVolumeSource {
        EmptyDirVolumeSource {
            medium: Some("Memory".into()),
            size_limit: limit.map(|text| Text(text.into())),
        }
    }

    #[test]
    fn a_limit_is_the_mounts() {
        assert_eq!(options(&in_memory(None)).expect("options"), "mode=0777");
        assert_eq!(options(&in_memory(Some("1Mi"))).expect("options"), "mode=0777,size=1048576");
        assert!(options(&in_memory(Some("0"))).is_err());
    }

    /// In a mount namespace of its own, so that nothing stays.
    #[test]
    fn memory_is_mounted_once_with_its_limit() {
        if !root_or_skip("a mount") {
            return;
        }
        let test = || {
            unshare(CloneFlags::CLONE_NEWNS).expect("root makes namespaces");
            let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).expect("its own mounts");
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join("cache");
            mount_memory(&path, &in_memory(Some("64Ki"))).expect("mounted");
            fs::write(path.join("kept"), "x").expect("there is room");
            mount_memory(&path, &in_memory(Some("64Ki"))).expect("mounted already");
            assert!(path.join("kept").exists() && is_mounted(&path).expect("a folder"));
            let full = fs::write(path.join("large"), vec![0; 1 << 20]).expect_err("it is too large");
            assert_eq!(full.kind(), io::ErrorKind::StorageFull);
            unmount(&path).expect("unmounted");
            assert!(!is_mounted(&path).expect("a folder") && !path.join("kept").exists());
            unmount(&path).expect("nothing to do");
        };
        std::thread::spawn(test).join().expect("the test passes");
    }
}
