//! Processes of this machine, found by their command lines: those in containers too.

use std::fs;

/// The pids of the processes whose command line, with a NUL behind each word, is this one.
///
/// # Panics
/// Without `/proc`.
#[must_use]
pub fn processes_of(command_line: &[u8]) -> Vec<i32> {
    let pids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == command_line))
        .collect()
}
