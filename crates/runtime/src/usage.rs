//! What a cgroup uses: the processor time since it was made, and the memory that it holds on
//! to. A rate is the difference of two looks, which is for the caller to take.

use std::fs;
use std::path::Path;

use crate::DiskUsage;
use crate::cgroup::{Hierarchies, field};

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time since the beginning, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory without the pages of files that were not read lately: what cannot be taken back without harm.
    pub working_set_bytes: u64,
}

/// One container's look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUsage {
    /// The pod's uid.
    pub pod_uid: String,
    /// The container's id, as in [`crate::ContainerSpec`].
    pub id: String,
    /// What it uses.
    pub usage: Usage,
}

/// One pod's look: all of its containers, and what those that have ended left in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodUsage {
    /// The pod's uid.
    pub pod_uid: String,
    /// As [`Usage::working_set_bytes`].
    pub working_set_bytes: u64,
    /// Its processes and threads.
    pub processes: u64,
}

/// What a container has written over its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerUsage {
    /// The pod's uid.
    pub pod_uid: String,
    /// The container's id, as in [`crate::ContainerSpec`].
    pub id: String,
    /// What it takes.
    pub disk: DiskUsage,
}

impl Hierarchies {
    /// How many processes and threads a cgroup and those below it have. `None` where it is gone or the host does not
    /// count.
    pub(crate) fn processes(&self, path: &str) -> Option<u64> {
        let folder = if self.unified() { self.folders(path).pop() } else { self.legacy_folder("pids", path) };
        number(&folder?.join("pids.current"))
    }

    /// What a cgroup and those below it use. `None` where it is gone or the host does not count.
    pub(crate) fn usage(&self, path: &str) -> Option<Usage> {
        if self.unified() {
            return unified(self.folders(path).first()?);
        }
        legacy(&self.legacy_folder("cpuacct", path)?, &self.legacy_folder("memory", path)?)
    }
}

fn unified(folder: &Path) -> Option<Usage> {
    let micros = field(&folder.join("cpu.stat"), "usage_usec")?;
    let held = number(&folder.join("memory.current")).unwrap_or_default();
    let idle = field(&folder.join("memory.stat"), "inactive_file").unwrap_or_default();
    Some(Usage { cpu_ns: micros.saturating_mul(1000), working_set_bytes: held.saturating_sub(idle) })
}

fn legacy(cpu: &Path, memory: &Path) -> Option<Usage> {
    let cpu_ns = number(&cpu.join("cpuacct.usage"))?;
    let held = number(&memory.join("memory.usage_in_bytes")).unwrap_or_default();
    let idle = field(&memory.join("memory.stat"), "total_inactive_file").unwrap_or_default();
    Some(Usage { cpu_ns, working_set_bytes: held.saturating_sub(idle) })
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_cgroups_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        assert_eq!((unified(folder.path()), legacy(folder.path(), folder.path())), (None, None));
        write("cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
        write("memory.current", "10485760\n");
        write("memory.stat", "anon 1\ninactive_file 4194304\ntotal_inactive_file 1048576\n");
        let expected = Usage { cpu_ns: 1_500_000, working_set_bytes: 6 << 20 };
        assert_eq!(unified(folder.path()), Some(expected));
        write("cpuacct.usage", "77\n");
        write("memory.usage_in_bytes", "524288\n");
        let expected = Usage { cpu_ns: 77, working_set_bytes: 0 };
        assert_eq!(legacy(folder.path(), folder.path()), Some(expected));
    }
}
