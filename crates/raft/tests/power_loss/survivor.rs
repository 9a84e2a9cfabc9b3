//! What a disk holds after the power came back.

use std::fs;
use std::path::{Path, PathBuf};

const PAGE: usize = 4096;

/// Numbers from a seed (splitmix64), so that a run can be had again.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Makes `live` and `durable` both what is left: the synced bytes, and with `some` also
/// about half of the pages that were only written.
pub(crate) fn lose_power(dir: &Path, mut some: Option<&mut Random>) {
    let (live, durable) = (dir.join("live"), dir.join("durable"));
    if let Some(random) = &mut some {
        for path in files(&live) {
            let name = path.strip_prefix(&live).expect("below it");
            mix(&path, &durable.join(name), random);
        }
    }
    fs::remove_dir_all(&live).expect("removed");
    fs::create_dir_all(&durable).expect("made");
    for path in files(&durable) {
        let to = live.join(path.strip_prefix(&durable).expect("below it"));
        fs::create_dir_all(to.parent().expect("below a folder")).expect("made");
        fs::copy(&path, to).expect("copied");
    }
}

/// Lets some pages of a file that were not synced survive.
fn mix(live: &Path, durable: &Path, random: &mut Random) {
    let written = fs::read(live).expect("read");
    let mut kept = match fs::read(durable) {
        Ok(kept) => kept,
        // Nobody ever synced it: it may be there or not.
        Err(_) if random.below(2) == 0 => return,
        Err(_) => Vec::new(),
    };
    for (number, page) in written.chunks(PAGE).enumerate() {
        let from = number * PAGE;
        let same = kept.get(from..from + page.len()) == Some(page);
        if !same && random.below(2) == 0 {
            kept.resize(kept.len().max(from + page.len()), 0);
            kept[from..from + page.len()].copy_from_slice(page);
        }
    }
    fs::create_dir_all(durable.parent().expect("below a folder")).expect("made");
    fs::write(durable, kept).expect("written");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
