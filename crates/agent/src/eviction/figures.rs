//! What the host has of everything that a node may run short of, and how much of it is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use nix::sys::statvfs::statvfs;

use super::signal::Signal;

/// So much is left, of so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) available: u64,
    pub(crate) capacity: u64,
}

/// By signal. What is not there cannot be known, and is never short.
pub(crate) type Figures = BTreeMap<Signal, Figure>;

/// Where figures come from. Tests make their own.
#[derive(Clone)]
pub(crate) struct Host(Arc<dyn Fn() -> Figures + Send + Sync>);

impl Host {
    /// This host, with the node's files below this folder.
    pub(crate) fn of(data_dir: &Path) -> Self {
        let data_dir = data_dir.to_owned();
        Self::new(move || measure(&data_dir))
    }

    pub(crate) fn new(figures: impl Fn() -> Figures + Send + Sync + 'static) -> Self {
        Self(Arc::new(figures))
    }

    /// As they are now.
    pub(crate) fn figures(&self) -> Figures {
        (self.0)()
    }
}

fn measure(data_dir: &Path) -> Figures {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut figures = Figures::new();
    figures.extend(memory(&read("/proc/meminfo")).map(|figure| (Signal::Memory, figure)));
    figures.extend(disk(data_dir, Signal::NodeFs, Signal::NodeFsInodes));
    // Images that lie on the same disk as everything else are short when that is.
    let images = data_dir.join("images");
    let device = |path: &Path| fs::metadata(path).ok().map(|found| found.dev());
    if device(&images).is_some_and(|own| Some(own) != device(data_dir)) {
        figures.extend(disk(&images, Signal::ImageFs, Signal::ImageFsInodes));
    }
    let most = [read("/proc/sys/kernel/pid_max"), read("/proc/sys/kernel/threads-max")];
    figures.extend(pids(&read("/proc/loadavg"), &most).map(|figure| (Signal::Pids, figure)));
    figures
}

fn memory(meminfo: &str) -> Option<Figure> {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    };
    Some(Figure { available: of("MemAvailable:")?, capacity: of("MemTotal:")? })
}

/// A disk's bytes and inodes; a file system that does not count its inodes has none in all.
fn disk(folder: &Path, bytes: Signal, inodes: Signal) -> Vec<(Signal, Figure)> {
    let Ok(found) = statvfs(folder) else { return Vec::new() };
    let in_bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size());
    let disk = Figure { available: in_bytes(found.blocks_available()), capacity: in_bytes(found.blocks()) };
    let files = Figure { available: found.files_available(), capacity: found.files() };
    let both = [(bytes, disk), (inodes, files)];
    both.into_iter().filter(|(_, figure)| figure.capacity > 0).collect()
}

/// The fourth field of `/proc/loadavg` is `RUNNING/ALL`; the least of the kernel's limits counts.
fn pids(loadavg: &str, most: &[String]) -> Option<Figure> {
    let all = loadavg.split_whitespace().nth(3)?.split_once('/')?.1.parse::<u64>().ok()?;
    let capacity = most.iter().filter_map(|most| most.trim().parse::<u64>().ok()).min()?;
    Some(Figure { available: capacity.saturating_sub(all), capacity })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_files_are_read() {
        let figure = |available, capacity| Some(Figure { available, capacity });
        let meminfo = "MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        assert_eq!((memory(meminfo), memory("")), (figure(1 << 20, 2 << 20), None));
        let most = ["1000\n".to_owned(), "900\n".to_owned(), String::new()];
        assert_eq!(pids("0.1 0.1 0.1 1/860 77", &most), figure(40, 900));
        assert_eq!((pids("", &most), pids("0 0 0 1/2 3", &[])), (None, None));
    }

    #[test]
    fn a_host_has_memory_process_ids_and_one_disk() {
        let dir = tempfile::tempdir().expect("a folder");
        let none = measure(dir.path());
        std::fs::create_dir(dir.path().join("images")).expect("made");
        for figures in [none, measure(dir.path())] {
            assert!(figures.contains_key(&Signal::Memory) && figures.contains_key(&Signal::Pids));
            assert!(figures.contains_key(&Signal::NodeFs), "{figures:?}");
            assert!(!figures.contains_key(&Signal::ImageFs), "the images are on the same disk: {figures:?}");
            assert!(figures.values().all(|figure| figure.available <= figure.capacity), "{figures:?}");
        }
        assert_eq!(measure(Path::new("/nowhere")).get(&Signal::NodeFs), None);
    }
}
