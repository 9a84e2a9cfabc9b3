//! What a tree of files takes of its disk.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The kernel's unit of `st_blocks`.
const BLOCK_BYTES: u64 = 512;
/// More files than this are not counted: a look must end.
const MOST_FILES: usize = 1_000_000;

/// What files take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// The blocks that they hold, in bytes.
    pub bytes: u64,
    /// Files and folders.
    pub inodes: u64,
}

impl std::ops::AddAssign for DiskUsage {
    fn add_assign(&mut self, more: DiskUsage) {
        self.bytes += more.bytes;
        self.inodes += more.inodes;
    }
}

/// What is below a folder; a file with several names counts once. Waits for the disk.
pub fn disk_usage(root: &Path) -> DiskUsage {
    let (mut used, mut seen, mut folders) = (DiskUsage::default(), BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        // What vanishes meanwhile takes nothing.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            }
            if seen.len() < MOST_FILES && seen.insert((found.dev(), found.ino())) {
                used += DiskUsage { bytes: found.blocks() * BLOCK_BYTES, inodes: 1 };
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_takes_what_its_files_take_once() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("below")).expect("made");
        let before = disk_usage(dir.path());
        assert_eq!(before.inodes, 1);
        fs::write(dir.path().join("below/file"), vec![1; 100_000]).expect("written");
        fs::hard_link(dir.path().join("below/file"), dir.path().join("again")).expect("linked");
        let after = disk_usage(dir.path());
        let added = after.bytes - before.bytes;
        assert!((100_000..120_000).contains(&added), "{added}");
        assert_eq!(after.inodes, 2, "one file by two names, and a folder");
        assert_eq!(disk_usage(&dir.path().join("gone")), DiskUsage::default());
    }
}
