//! A disk that loses what was not synced. This binary's own `write`, `pwrite64`,
//! `fdatasync`, `fsync`, `ftruncate64`, `rename` and `unlink` stand in for the C
//! library's, for Rust's standard library and sled alike: files under a watched folder
//! behave as ever, and a second folder gets the bytes of a file only when it is synced.
//! After a kill that second folder is what a power loss would have left; anything that
//! was only in the page cache is missing from it.
//!
//! Renames and removals count as durable at once, which a journal may delay: sled syncs
//! the file before it renames it, and needs no removal.

#![allow(unsafe_code, reason = "stands in for the C library")]

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use libc::{SYS_fdatasync, SYS_ftruncate, SYS_pwrite64, SYS_readlinkat, SYS_rename, SYS_unlink, SYS_write};
use libc::{c_char, c_int, c_void, off64_t, size_t, ssize_t};

static DISK: OnceLock<Disk> = OnceLock::new();

struct Disk {
    live: PathBuf,
    durable: PathBuf,
    /// What was done to a file since it was synced.
    pending: Mutex<HashMap<PathBuf, Vec<Change>>>,
    /// Files that this process has synced: the first time, what an earlier process wrote
    /// and did not sync goes to the disk too.
    synced: Mutex<HashSet<PathBuf>>,
    /// Claims to sync and does not: shows that the tests would notice.
    lies: bool,
}

enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// From now on files under `live` are watched, and what is synced goes to `durable`.
pub(crate) fn watch(live: &Path, durable: &Path, lies: bool) {
    let disk = Disk {
        live: live.to_owned(),
        durable: durable.to_owned(),
        pending: Mutex::default(),
        synced: Mutex::default(),
        lies,
    };
    assert!(DISK.set(disk).is_ok(), "one disk a process");
}

impl Disk {
    fn watched(&self, path: &Path) -> Option<PathBuf> {
        Some(self.durable.join(path.strip_prefix(&self.live).ok()?))
    }

    fn note(&self, path: PathBuf, change: Change) {
        self.pending.lock().expect("no panics").entry(path).or_default().push(change);
    }

    fn sync(&self, path: &Path) {
        if self.lies {
            return;
        }
        let Some(durable) = self.watched(path) else { return };
        let mut pending = self.pending.lock().expect("no panics");
        if self.synced.lock().expect("no panics").insert(path.to_owned()) && path.is_file() {
            fs::create_dir_all(durable.parent().expect("below a folder")).expect("made");
            fs::copy(path, &durable).expect("copied");
        }
        if path.is_dir() {
            return;
        }
        fs::create_dir_all(durable.parent().expect("below a folder")).expect("made");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(durable).expect("opens");
        for change in pending.remove(path).unwrap_or_default() {
            match change {
                Change::Write(at, bytes) => file.write_all_at(&bytes, at).expect("written"),
                Change::Length(length) => file.set_len(length).expect("cut"),
            }
        }
    }
}

/// The disk and the path of a descriptor, when it is watched.
fn watched(fd: c_int) -> Option<(&'static Disk, PathBuf)> {
    let disk = DISK.get()?;
    let link = format!("/proc/self/fd/{fd}\0");
    let mut path = vec![0_u8; 4096];
    // SAFETY: the link ends in a NUL, and the buffer has the given length.
    let length = unsafe {
        libc::syscall(SYS_readlinkat, libc::AT_FDCWD, link.as_ptr(), path.as_mut_ptr(), path.len())
    };
    path.truncate(usize::try_from(length).ok()?);
    let path = PathBuf::from(OsString::from_vec(path));
    path.starts_with(&disk.live).then_some((disk, path))
}

fn note_write(fd: c_int, at: u64, buffer: *const c_void, written: ssize_t) {
    let Some((disk, path)) = watched(fd) else { return };
    let Ok(written) = usize::try_from(written) else { return };
    // SAFETY: the kernel has just read as many bytes from there.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), written) };
    disk.note(path, Change::Write(at, bytes.to_vec()));
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, length: size_t, at: off64_t) -> ssize_t {
    // SAFETY: passed on as it came.
    let written = unsafe { libc::syscall(SYS_pwrite64, fd, buffer, length, at) } as ssize_t;
    note_write(fd, at as u64, buffer, written);
    written
}

#[unsafe(no_mangle)]
extern "C" fn write(fd: c_int, buffer: *const c_void, length: size_t) -> ssize_t {
    // SAFETY: passed on as it came; a descriptor that cannot seek gives an error.
    let (at, written) = unsafe {
        let at = if watched(fd).is_some() { libc::lseek64(fd, 0, libc::SEEK_CUR) } else { -1 };
        (at, libc::syscall(SYS_write, fd, buffer, length) as ssize_t)
    };
    if let Ok(at) = u64::try_from(at) {
        note_write(fd, at, buffer, written);
    }
    written
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: takes no pointers.
    let outcome = unsafe { libc::syscall(SYS_ftruncate, fd, length) } as c_int;
    if let (0, Some((disk, path))) = (outcome, watched(fd)) {
        disk.note(path, Change::Length(length as u64));
    }
    outcome
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    match watched(fd) {
        Some((disk, path)) => {
            disk.sync(&path);
            0
        }
        // SAFETY: takes no pointers.
        None => unsafe { libc::syscall(SYS_fdatasync, fd) as c_int },
    }
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    fdatasync(fd)
}

#[unsafe(no_mangle)]
extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: passed on as they came, both end in a NUL.
    let outcome = unsafe { libc::syscall(SYS_rename, from, to) } as c_int;
    // SAFETY: as above.
    let (from, to) = unsafe { (path_of(from), path_of(to)) };
    if let (0, Some(disk)) = (outcome, DISK.get())
        && let (Some(from), Some(to)) = (disk.watched(&from), disk.watched(&to))
        && from.exists()
    {
        fs::rename(from, to).expect("renamed");
    }
    outcome
}

#[unsafe(no_mangle)]
extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: passed on as it came, it ends in a NUL.
    let outcome = unsafe { libc::syscall(SYS_unlink, path) } as c_int;
    // SAFETY: as above.
    let path = unsafe { path_of(path) };
    if let Some(gone) = DISK.get().and_then(|disk| disk.watched(&path)).filter(|gone| gone.exists()) {
        fs::remove_file(gone).expect("removed");
    }
    outcome
}

/// # Safety
/// `path` ends in a NUL.
unsafe fn path_of(path: *const c_char) -> PathBuf {
    // SAFETY: as asked for.
    let path = unsafe { CStr::from_ptr(path) };
    PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes()))
}
