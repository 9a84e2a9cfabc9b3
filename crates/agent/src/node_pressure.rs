//! What a node is short of: memory, disk, process ids. Told as the node's conditions, from
//! which the leader makes taints that keep new pods away.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Less memory than this is too little, as the kubelet has it.
const LEAST_MEMORY_KIB: u64 = 100 << 10;
/// A smaller share than this of a disk's bytes or inodes, or of the process ids, is too little.
const LEAST_PERCENT: u64 = 5;

/// What is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    memory: bool,
    disk: bool,
    pids: bool,
}

/// A condition: its type, status, reason and message.
pub(crate) type Condition = (&'static str, &'static str, &'static str, &'static str);

impl Pressure {
    /// As it is now on this host, with the disk below this folder. What cannot be read is
    /// no reason to keep pods away.
    pub(crate) fn of(folder: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let disk = statvfs(folder).is_ok_and(|found| {
            is_short(found.blocks_available(), found.blocks())
                || is_short(found.files_available(), found.files())
        });
        Self {
            memory: memory_is_short(&read("/proc/meminfo")),
            disk,
            pids: pids_are_short(&read("/proc/loadavg"), &read("/proc/sys/kernel/pid_max")),
        }
    }

    /// As the node's status says it.
    pub(crate) fn conditions(self) -> [Condition; 4] {
        let pick = |short: bool, yes: Condition, no: Condition| if short { yes } else { no };
        [
            pick(
                self.memory,
                (
                    "MemoryPressure",
                    "True",
                    "KubeletHasInsufficientMemory",
                    "kubelet has insufficient memory available",
                ),
                (
                    "MemoryPressure",
                    "False",
                    "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available",
                ),
            ),
            pick(
                self.disk,
                ("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure"),
                ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ),
            pick(
                self.pids,
                (
                    "PIDPressure",
                    "True",
                    "KubeletHasInsufficientPID",
                    "kubelet has insufficient PID available",
                ),
                ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]
    }
}

/// A file system that does not count (0 in all) is never short.
fn is_short(left: u64, all: u64) -> bool {
    all > 0 && left < all / 100 * LEAST_PERCENT
}

fn memory_is_short(meminfo: &str) -> bool {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.is_some_and(|kib| kib < LEAST_MEMORY_KIB)
}

/// The fourth field of `/proc/loadavg` is `RUNNING/ALL`.
fn pids_are_short(loadavg: &str, pid_max: &str) -> bool {
    let all =
        loadavg.split_whitespace().nth(3).and_then(|field| field.split_once('/')?.1.parse::<u64>().ok());
    let most = pid_max.trim().parse::<u64>().ok();
    all.zip(most).is_some_and(|(all, most)| is_short(most.saturating_sub(all), most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_said() {
        assert!(memory_is_short("MemTotal: 9 kB\nMemAvailable:  102399 kB\n"));
        assert!(!memory_is_short("MemAvailable:  102400 kB\n") && !memory_is_short(""));
        assert!(pids_are_short("0.1 0.1 0.1 1/960 77", "1000\n") && !pids_are_short("0 0 0 1/940 7", "1000"));
        assert!(is_short(4, 100) && !is_short(5, 100) && !is_short(0, 0));
        let short = Pressure { disk: true, ..Pressure::default() };
        let told: Vec<String> = short
            .conditions()
            .iter()
            .map(|(kind, status, reason, _)| format!("{kind} {status} {reason}"))
            .collect();
        assert_eq!(
            told,
            [
                "MemoryPressure False KubeletHasSufficientMemory",
                "DiskPressure True KubeletHasDiskPressure",
                "PIDPressure False KubeletHasSufficientPID",
                "Ready True KubeletReady",
            ]
        );
    }
}
