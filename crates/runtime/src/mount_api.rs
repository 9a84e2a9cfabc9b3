//! The kernel's mount calls by descriptor, which neither `libc` nor `nix` wrap: a mount is configured, made, and only
//! then attached somewhere, or nowhere.
#![allow(unsafe_code, reason = "the calls have no wrapper in our dependencies")]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::image::c_string;

const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
const OPEN_TREE_CLONE: u32 = 1;
const MOUNT_ATTR_RDONLY: u64 = 1;

/// A file system that is being configured.
pub(crate) struct Configuration {
    fd: OwnedFd,
}

impl Configuration {
    pub(crate) fn of(kind: &CStr) -> io::Result<Configuration> {
        // SAFETY: the string lives through the call.
        let fd = unsafe { owned(libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC)) }?;
        Ok(Configuration { fd })
    }

    pub(crate) fn set(&self, key: &str, value: &OsStr) -> io::Result<()> {
        self.call(FSCONFIG_SET_STRING, Some(&c_string(key.as_ref())?), Some(&c_string(value)?))
    }

    pub(crate) fn flag(&self, key: &str) -> io::Result<()> {
        self.call(FSCONFIG_SET_FLAG, Some(&c_string(key.as_ref())?), None)
    }

    /// Makes the mount. It is attached nowhere, and goes with its descriptor unless it is attached.
    pub(crate) fn mount(self) -> io::Result<OwnedFd> {
        self.call(FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: the descriptor is open.
        unsafe { owned(libc::syscall(libc::SYS_fsmount, self.fd.as_raw_fd(), FSMOUNT_CLOEXEC, 0)) }
    }

    fn call(&self, command: u32, key: Option<&CString>, value: Option<&CString>) -> io::Result<()> {
        let pointer = |text: Option<&CString>| text.map_or(std::ptr::null(), |text| text.as_ptr());
        // SAFETY: the descriptor is open and both strings live through the call.
        let done = unsafe {
            libc::syscall(libc::SYS_fsconfig, self.fd.as_raw_fd(), command, pointer(key), pointer(value), 0)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Attaches a mount.
pub(crate) fn attach(mount: &OwnedFd, target: &Path) -> io::Result<()> {
    let target = c_string(target.as_os_str())?;
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

/// A file as a mount of its own that cannot be written through, attached nowhere.
pub(crate) fn read_only_clone(path: &CStr) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as u32;
    // SAFETY: the string lives through the call.
    let mount = unsafe { owned(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags)) }?;
    let attributes = MountAttributes { set: MOUNT_ATTR_RDONLY, ..MountAttributes::default() };
    // SAFETY: the descriptor is open, both pointers live through the call, and the size is the struct's.
    let set = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &attributes,
            size_of::<MountAttributes>(),
        )
    };
    if set == 0 { Ok(mount) } else { Err(io::Error::last_os_error()) }
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
#[derive(Default)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
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
