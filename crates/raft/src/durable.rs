//! Makes sled's flush durable. sled 0.34 ends `flush()` with `sync_file_range`, which
//! starts the writing of pages and promises nothing about the disk: in a power-loss
//! model every run lost acknowledged writes. This definition takes the C library's
//! place at link time, so that the same call is an `fdatasync`. It depends on linkage:
//! the test `a_flush_is_an_fdatasync` looks at the real binaries under strace.

#![allow(unsafe_code, reason = "defines a C symbol")]

/// `fdatasync` under the name that sled calls.
///
/// # Safety
/// As safe as `fdatasync`: a bad descriptor is an error, not undefined behaviour.
#[unsafe(no_mangle)]
pub extern "C" fn sync_file_range(
    fd: libc::c_int,
    _offset: libc::off64_t,
    _count: libc::off64_t,
    _flags: libc::c_uint,
) -> libc::c_int {
    // SAFETY: takes no pointers.
    unsafe { libc::fdatasync(fd) }
}
