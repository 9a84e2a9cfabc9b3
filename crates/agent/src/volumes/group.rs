//! A pod's `fsGroup`: the group that its volumes belong to, so that containers which run as
//! any user of it can use them. Folders of the host are left as they are.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use k8s_openapi::api::core::v1::Pod;

use super::atomic::Files;

/// What the group may do with a folder; new files in it are the group's too.
const FOLDER_BITS: u32 = 0o2770;
/// What the group may do with a file that the API fills.
const FILE_BITS: u32 = 0o440;

/// The group, where the pod names one.
pub(super) fn of(pod: &Pod) -> Option<u32> {
    let context = pod.spec.as_ref()?.security_context.as_ref()?;
    u32::try_from(context.fs_group?).ok()
}

/// Gives a folder to the group.
pub(super) fn own_folder(path: &Path, group: Option<u32>) -> io::Result<()> {
    let Some(group) = group else { return Ok(()) };
    chown(path, None, Some(group))?;
    let mode = fs::metadata(path)?.permissions().mode() & 0o7777;
    fs::set_permissions(path, fs::Permissions::from_mode(mode | FOLDER_BITS))
}

/// Files that the group can read, if there is one.
pub(super) fn readable(files: &Files, group: Option<u32>) -> Files {
    let mut files = files.clone();
    if group.is_some() {
        files.values_mut().for_each(|file| file.mode |= FILE_BITS);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use xebec_tests::skips::root_or_skip;

    #[test]
    fn a_folder_is_the_groups_and_what_comes_into_it_too() {
        if !root_or_skip("a folder of another group") {
            return;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("cache");
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        own_folder(&path, None).expect("nothing to do");
        own_folder(&path, Some(4242)).expect("owned");
        let found = fs::metadata(&path).expect("a folder");
        assert_eq!((found.gid(), found.mode() & 0o7777), (4242, 0o2775));
        fs::write(path.join("new"), "").expect("written");
        assert_eq!(fs::metadata(path.join("new")).expect("a file").gid(), 4242);
    }
}
