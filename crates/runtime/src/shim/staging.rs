//! Parts of volumes, mounted for the time of a container's start at paths that only the shim's mount namespace has:
//! what was found by descriptor is what libcontainer mounts by name, whatever a container renames meanwhile.
//!
//! Below a mount that is left lies somebody's volume: nothing here is removed recursively.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// One container's.
pub(super) struct Staging {
    dir: PathBuf,
}

impl Staging {
    pub(super) fn at(dir: &Path) -> Staging {
        Staging { dir: dir.to_owned() }
    }

    /// Mounts what a descriptor is open on, and what is mounted below it; gives its path.
    pub(super) fn mount(&self, number: usize, found: &OwnedFd) -> io::Result<PathBuf> {
        let place = self.dir.join(number.to_string());
        let source = format!("/proc/self/fd/{}", found.as_raw_fd());
        if fs::metadata(&source)?.is_dir() {
            fs::create_dir_all(&place)?;
        } else {
            fs::create_dir_all(&self.dir)?;
            fs::write(&place, "")?;
        }
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(source.as_str()), &place, None::<&str>, flags, None::<&str>)?;
        Ok(place)
    }

    /// Takes the mounts away, and their places.
    pub(super) fn clear(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let place = entry.path();
            // Not mounted is what is wanted. What still is stays, and so does what holds it.
            let _ = umount2(&place, MntFlags::MNT_DETACH);
            let _ = fs::remove_dir(&place).or_else(|_| fs::remove_file(&place));
        }
        let _ = fs::remove_dir(&self.dir);
    }
}
