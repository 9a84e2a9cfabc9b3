//! Whether an emptyDir on the node's disk is within its `sizeLimit`. One in memory has its
//! limit from the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use k8s_openapi::api::core::v1::Volume;
use xebec_api::quantity::Quantity;

use super::{empty_dir, path, volumes};
use crate::pod::worker::Bound;
use crate::run::Agent;

/// The kernel's unit of `st_blocks`.
const BLOCK_BYTES: u64 = 512;
/// More files than this are not looked at: a look must end.
const MOST_FILES: usize = 1_000_000;

/// Why the pod must go, as Kubernetes says it, if it must.
pub(super) async fn excess(agent: &Agent, bound: &Bound) -> Option<String> {
    for volume in volumes(bound) {
        let Some((text, limit)) = limit(volume) else { continue };
        let path = path(agent, bound, &volume.name);
        // Walking a tree waits for the disk.
        let used = tokio::task::spawn_blocking(move || used_bytes(&path)).await.unwrap_or_default();
        if used > limit {
            return Some(format!("Usage of EmptyDir volume {:?} exceeds the limit {text:?}. ", volume.name));
        }
    }
    None
}

fn limit(volume: &Volume) -> Option<(&str, u64)> {
    let source = volume.empty_dir.as_ref().filter(|source| !empty_dir::is_memory(source))?;
    let text = source.size_limit.as_ref()?.0.as_str();
    let bytes = u64::try_from(Quantity::parse(text).ok()?.value()).ok().filter(|bytes| *bytes > 0)?;
    Some((text, bytes))
}

/// What a tree takes of its disk; a file with several names counts once.
fn used_bytes(root: &Path) -> u64 {
    let (mut used, mut seen, mut folders) = (0, BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        // What vanishes meanwhile takes nothing.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                folders.push(entry.path());
            }
            if seen.len() < MOST_FILES && seen.insert((found.dev(), found.ino())) {
                used += found.blocks() * BLOCK_BYTES;
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
        let before = used_bytes(dir.path());
        fs::write(dir.path().join("below/file"), vec![1; 100_000]).expect("written");
        fs::hard_link(dir.path().join("below/file"), dir.path().join("again")).expect("linked");
        let added = used_bytes(dir.path()) - before;
        assert!((100_000..120_000).contains(&added), "{added}");
        assert_eq!(used_bytes(&dir.path().join("gone")), 0);
    }
}
