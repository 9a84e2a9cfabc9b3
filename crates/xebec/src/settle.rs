//! What only the start or a busy time needed, given back to the kernel: pages of the binary
//! that are not run any more, and memory that the allocator keeps in case. A component or a
//! pod's shim that idles for weeks would hold both for as long.

#![allow(unsafe_code, reason = "the allocator and the mappings of the binary are asked directly")]

use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

use nix::libc;
use tokio::time::{Instant, interval_at};

/// By then a component has listed what it follows and serves.
const STARTED: Duration = Duration::from_secs(10);
/// What a rollout or a busy minute needed goes, too. It costs an idle component some hundred
/// minor faults, and less than a millisecond.
const EVERY: Duration = Duration::from_secs(60);
const PAGE: usize = 4096;

unsafe extern "C" {
    /// Of mimalloc, which is the allocator of the whole binary.
    fn mi_collect(force: bool);
    /// Where the binary's constants and code begin and end in memory, by the linker.
    static __executable_start: u8;
    static etext: u8;
}

/// Gives back after the start and then now and then, for ever.
pub(crate) async fn now_and_then() {
    let mut times = interval_at(Instant::now() + STARTED, EVERY);
    loop {
        times.tick().await;
        give_back();
    }
}

/// Nothing is lost by it: pages of the file are mapped again when they are touched.
pub(crate) fn give_back() {
    let start = &raw const __executable_start as usize;
    let end = (&raw const etext as usize) / PAGE * PAGE;
    // SAFETY: only the segments that are never written lie between the two symbols, private
    // and backed by the file: what is dropped of them is read from it again. mi_collect may
    // be called by any thread at any time.
    unsafe {
        libc::madvise(ptr::without_provenance_mut::<c_void>(start), end - start, libc::MADV_DONTNEED);
        mi_collect(true);
    }
}
