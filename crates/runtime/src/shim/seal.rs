//! Keeps containers from writing to this executable.
//!
//! A container's first process is, for a moment, this executable, and an image may name `/proc/self/exe` as its command:
//! either gives a container that runs as root a way to the file on the host, through which it could replace it
//! (CVE-2019-5736). So the shim and all that comes from it run through a mount of that one file which is read-only and
//! attached nowhere.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::AsRawFd;

use crate::image::c_string;
use crate::mount_api::read_only_clone;

/// Added to the arguments of the sealed process.
pub(super) const FLAG: &str = "--sealed";

/// Replaces this process by the same, sealed. Returns only if that fails.
pub(super) fn run_sealed(dir: &OsStr) -> io::Error {
    match try_run_sealed(dir) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn try_run_sealed(dir: &OsStr) -> io::Result<std::convert::Infallible> {
    let sealed = read_only_clone(c"/proc/self/exe")?;
    let path = c_string(format!("/proc/self/fd/{}", sealed.as_raw_fd()).as_ref())?;
    let words = ["xebec".as_ref(), "shim".as_ref(), "--dir".as_ref(), dir, FLAG.as_ref()];
    let words = words.into_iter().map(c_string).collect::<io::Result<Vec<CString>>>()?;
    Ok(nix::unistd::execv(&path, &words)?)
}
