//! Mounts a container's root: its image's layers below, a folder of its own above.
//!
//! Through `fsopen` where the kernel has it: each layer is its own `lowerdir+`, so that neither the length nor the
//! characters of a path are limited. Else through `mount(2)`, with short relative paths.
#![allow(unsafe_code, reason = "the mount calls by descriptor have no wrapper in our dependencies")]

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};

use crate::image;

const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;

/// The folders of one container's root.
pub(super) struct Root {
    /// Where it is mounted.
    pub(super) merged: PathBuf,
    upper: PathBuf,
    work: PathBuf,
}

impl Root {
    /// The folders below `dir`.
    pub(super) fn below(dir: &Path) -> Root {
        Root { merged: dir.join("merged"), upper: dir.join("upper"), work: dir.join("work") }
    }

    /// Mounts it over `layers`, lowest first.
    pub(super) fn mount(&self, layers: &[PathBuf]) -> io::Result<()> {
        for dir in [&self.merged, &self.upper, &self.work] {
            fs::create_dir_all(dir)?;
        }
        match self.mount_by_descriptor(layers) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {
                self.mount_by_string(layers)
            }
            mounted => mounted,
        }
    }

    /// Takes the mount away, at once for new users and for old ones once they are done.
    pub(super) fn unmount(&self) {
        // Not mounted is what is wanted.
        let _ = nix::mount::umount2(&self.merged, MntFlags::MNT_DETACH);
    }

    fn mount_by_descriptor(&self, layers: &[PathBuf]) -> io::Result<()> {
        // SAFETY: the string is a constant.
        let fs = unsafe { owned(libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), 1)) }?;
        for layer in layers.iter().rev() {
            configure(&fs, FSCONFIG_SET_STRING, Some(c"lowerdir+"), Some(layer))?;
        }
        configure(&fs, FSCONFIG_SET_STRING, Some(c"upperdir"), Some(&self.upper))?;
        configure(&fs, FSCONFIG_SET_STRING, Some(c"workdir"), Some(&self.work))?;
        // Nothing above the layers outlives the container, so nothing has to reach the disk. Older kernels refuse it.
        let _ = configure(&fs, FSCONFIG_SET_FLAG, Some(c"volatile"), None);
        configure(&fs, FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: the descriptor is open.
        let mount = unsafe { owned(libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), 1, 0)) }?;
        let target = image::c_string(self.merged.as_os_str())?;
        // SAFETY: the descriptor is open and both strings live through the call.
        let moved = unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                mount.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                target.as_ptr(),
                MOVE_MOUNT_F_EMPTY_PATH,
            )
        };
        if moved == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn mount_by_string(&self, layers: &[PathBuf]) -> io::Result<()> {
        let here = std::env::current_dir()?;
        let parent = layers.first().and_then(|layer| layer.parent()).unwrap_or(Path::new("/"));
        std::env::set_current_dir(parent)?;
        let name = |layer: &PathBuf| layer.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lower: Vec<String> = layers.iter().rev().map(name).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.join(":"),
            self.upper.display(),
            self.work.display()
        );
        let mounted = nix::mount::mount(
            Some("overlay"),
            &self.merged,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        );
        std::env::set_current_dir(here)?;
        Ok(mounted?)
    }
}

fn configure(fs: &OwnedFd, command: u32, key: Option<&CStr>, value: Option<&Path>) -> io::Result<()> {
    let value: Option<CString> = value.map(|value| image::c_string(value.as_os_str())).transpose()?;
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the descriptor is open and both strings live through the call.
    let set = unsafe {
        libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), command, pointer(key), pointer(value.as_deref()), 0)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// # Safety
/// `fd` is what a call that makes a descriptor has just returned.
unsafe fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
