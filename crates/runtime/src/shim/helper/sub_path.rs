//! Finds a part of a volume by descriptors, and makes it where it is not there. Every step is resolved by the kernel
//! below the volume's folder, so that no link that a container makes, at whatever moment, leads out of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, mkdirat};

use crate::image::openat2;

/// Links inside of the volume are followed; out of it leads none, nor those of /proc that are no paths.
const RESOLVE: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
const SET_GROUP_ID: u32 = 0o2000;

/// Why there is no such part. It does not say the path.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is none, or leads out of the volume.
    Outside,
    /// The kernel's reason.
    Io(io::Error),
}

impl Refusal {
    /// The refusal's text about a path as its user wrote it.
    pub(super) fn about(&self, written: &str) -> String {
        match self {
            Refusal::Outside => format!("subPath {written:?} must stay inside its volume"),
            Refusal::Io(error) => format!("subPath {written:?}: {error}"),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        match error.raw_os_error() {
            Some(libc::EXDEV) => Refusal::Outside,
            _ => Refusal::Io(error),
        }
    }
}

/// Opens it, for its place alone. What is made has the mode and, where new files get it, the group of the volume.
pub(super) fn open(volume: &Path, path: &Path) -> Result<OwnedFd, Refusal> {
    // For its place alone: what a user names may be a pipe, which would be waited for.
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let root: OwnedFd = File::options().read(true).custom_flags(flags).open(volume)?.into();
    let (mut at, mut found) = (PathBuf::new(), root.try_clone()?);
    for part in path.components() {
        let name = match part {
            Component::Normal(name) => name,
            Component::CurDir => continue,
            _ => return Err(Refusal::Outside),
        };
        at.push(name);
        found = match openat2(&root, &at, libc::O_PATH, RESOLVE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&root, &found, name, &at)?,
            opened => opened?,
        };
    }
    Ok(found)
}

/// Makes a folder like the volume's own.
fn make(root: &OwnedFd, parent: &OwnedFd, name: &OsStr, at: &Path) -> io::Result<OwnedFd> {
    match mkdirat(Some(parent.as_raw_fd()), name, Mode::S_IRWXU) {
        Ok(()) => {}
        // Another container's start was quicker, or a link leads to nothing.
        Err(Errno::EEXIST) => return openat2(root, at, libc::O_PATH, RESOLVE),
        Err(error) => return Err(error.into()),
    }
    // The folder itself, not what a link in its place leads to.
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let made = File::from(openat2(parent, Path::new(name), flags, RESOLVE)?);
    let like = fs::metadata(format!("/proc/self/fd/{}", root.as_raw_fd()))?;
    if like.mode() & SET_GROUP_ID != 0 {
        fchown(&made, None, Some(like.gid()))?;
    }
    made.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
    Ok(made.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use xebec_tests::skips::root_or_skip;

    fn path_of(found: &OwnedFd) -> PathBuf {
        fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).expect("it is open")
    }

    #[test]
    fn a_part_stays_inside_its_volume() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = fs::canonicalize(dir.path()).expect("a folder");
        let (volume, host) = (dir.join("v"), dir.join("host"));
        for folder in [&volume, &host, &volume.join("..now"), &volume.join("real")] {
            fs::create_dir(folder).expect("made");
        }
        fs::write(volume.join("..now/color"), "red").expect("written");
        for (target, link) in [
            ("..now", "..data"),
            ("..data/color", "color"),
            ("real", "inside"),
            ("nothing", "dangling"),
            ("../host", "out"),
        ] {
            symlink(target, volume.join(link)).expect("made");
        }
        symlink(&host, volume.join("trap")).expect("made");
        symlink("/proc/self/root", volume.join("magic")).expect("made");
        let opened = |path: &str| open(&volume, Path::new(path)).map(|found| path_of(&found));
        let part = |path: &str| opened(path).expect("it is there");
        assert_eq!(part("color"), volume.join("..now/color"), "the file behind its links");
        assert_eq!(part("./new/folder"), volume.join("new/folder"));
        assert_eq!(part("inside/new"), volume.join("real/new"), "made behind a link that stays inside");
        for path in ["../x", "/etc", "trap", "trap/new", "out/new", "magic/new", "new/../../x"] {
            assert!(matches!(opened(path), Err(Refusal::Outside)), "{path}");
        }
        assert!(matches!(opened("dangling/new"), Err(Refusal::Io(_))));
        assert!(matches!(opened("color/new"), Err(Refusal::Io(_))), "a file holds nothing");
        assert_eq!(fs::read_dir(&host).expect("a folder").count(), 0, "nothing was made outside");
    }

    #[test]
    fn what_is_made_is_as_the_volume_is() {
        if !root_or_skip("a folder of another group") {
            return;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let owned = |mode: u32| {
            std::os::unix::fs::chown(dir.path(), None, Some(4242)).expect("root may");
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).expect("set");
        };
        let made = |path: &str| {
            open(dir.path(), Path::new(path)).expect("made");
            let found = fs::metadata(dir.path().join(path)).expect("it is there");
            (found.gid(), found.mode() & 0o7777)
        };
        owned(0o2775);
        assert_eq!(made("a/b"), (4242, 0o2775), "the group may write, and owns what comes into it");
        assert_eq!(made("a"), (4242, 0o2775));
        owned(0o777);
        assert_eq!(made("c"), (0, 0o777));
    }
}
