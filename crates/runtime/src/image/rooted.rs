//! File operations below a folder that cannot leave it: whatever a symbolic link inside says, it is resolved as if the
//! folder were the root (`openat2` with `RESOLVE_IN_ROOT`).
#![allow(unsafe_code, reason = "openat2 and lsetxattr have no safe wrapper here")]

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, mkdirat};

/// How many dangling links are followed one after another.
const LINK_DEPTH: usize = 8;

/// A folder that is its own root.
#[derive(Debug)]
pub(crate) struct RootedDir {
    fd: OwnedFd,
}

impl RootedDir {
    pub(crate) fn open(path: &Path) -> io::Result<RootedDir> {
        Ok(RootedDir { fd: File::open(path)?.into() })
    }

    /// Opens something below the folder for reading.
    pub(crate) fn open_file(&self, path: &Path) -> io::Result<File> {
        self.openat2(path, libc::O_RDONLY | libc::O_NONBLOCK).map(File::from)
    }

    /// The folder that holds `path`, made with its parents where it is not there, and the last part of the path.
    pub(crate) fn parent(&self, path: &Path) -> io::Result<(OwnedFd, CString)> {
        let clean = clean(path);
        let name = clean.file_name().ok_or_else(|| io::Error::other("a path without a name"))?;
        Ok((self.dir(clean.parent().unwrap_or(Path::new("")))?, c_string(name)?))
    }

    /// A folder below this one, made with its parents where it is not there.
    pub(crate) fn dir(&self, path: &Path) -> io::Result<OwnedFd> {
        self.dir_through(path, LINK_DEPTH)
    }

    fn dir_through(&self, path: &Path, links: usize) -> io::Result<OwnedFd> {
        let clean = clean(path);
        match self.openat2(&clean, libc::O_PATH | libc::O_DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let (parent, name) = self.parent(&clean)?;
        match mkdirat(Some(parent.as_raw_fd()), name.as_c_str(), Mode::from_bits_truncate(0o755)) {
            Ok(()) => self.openat2(&clean, libc::O_PATH | libc::O_DIRECTORY),
            // A link to a folder that this tree does not have yet: make that one.
            Err(Errno::EEXIST) if links > 0 => {
                let target = nix::fcntl::readlinkat(Some(parent.as_raw_fd()), name.as_c_str())?;
                let base = clean.parent().unwrap_or(Path::new(""));
                self.dir_through(&base.join(target), links - 1)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn openat2(&self, path: &Path, flags: i32) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        openat2(&self.fd, path, flags, libc::RESOLVE_IN_ROOT)
    }
}

/// Opens something below a folder; `resolve` says which links are followed, and where to.
pub(crate) fn openat2(dir: &OwnedFd, path: &Path, flags: i32, resolve: u64) -> io::Result<OwnedFd> {
    let path = c_string(path.as_os_str())?;
    // SAFETY: open_how is plain data for which all zeroes is valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.resolve = resolve;
    // SAFETY: the string and the struct live through the call, and the size is the struct's.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            dir.as_raw_fd(),
            path.as_ptr(),
            &how,
            std::mem::size_of::<libc::open_how>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The path without `/`, `.` and `..` at its start or inside; `a/../b` is `b`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

pub(crate) fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::other("a path with a zero byte"))
}

/// Sets an extended attribute of something below a folder, without following a link.
pub(crate) fn set_xattr(parent: &OwnedFd, name: &CString, key: &str, value: &[u8]) -> io::Result<()> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.as_bytes());
    let path = CString::new(path).map_err(|_| io::Error::other("a path with a zero byte"))?;
    let key = CString::new(key).map_err(|_| io::Error::other("an attribute with a zero byte"))?;
    // SAFETY: both strings and the value live through the call, and the length is the value's.
    let set = unsafe { libc::lsetxattr(path.as_ptr(), key.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
