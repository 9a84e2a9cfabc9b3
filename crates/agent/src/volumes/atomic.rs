//! Writes a volume's files so that a reader sees the old ones or the new ones, never some
//! of each. As Kubernetes lays them out, and as programs that watch them expect:
//!
//! ```text
//! VOLUME/..2026_01_01_00_00_00.0/color   the file
//! VOLUME/..data  -> ..2026_01_01_00_00_00.0   swapped by one rename
//! VOLUME/color   -> ..data/color
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// A volume's files by their paths, which stay inside it.
pub(crate) type Files = BTreeMap<PathBuf, File>;

const DATA: &str = "..data";

/// Brings the folder to hold these files and no others, of this group; whether anything
/// changed.
pub(super) fn write(dir: &Path, files: &Files, group: Option<u32>, now: Timestamp) -> io::Result<bool> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    let data = dir.join(DATA);
    if data.is_dir() && found(&data, Path::new(""))? == *files {
        link(dir, files)?;
        return Ok(false);
    }
    let name = fresh_name(dir, now);
    for (path, file) in files {
        put(&dir.join(&name).join(path), file, group)?;
    }
    fs::create_dir_all(dir.join(&name))?;
    let swapped = dir.join("..data_tmp");
    remove(&swapped)?;
    symlink(&name, &swapped)?;
    fs::rename(&swapped, &data)?;
    link(dir, files)?;
    sweep(dir, &name)?;
    Ok(true)
}

/// Whether it was written already.
pub(super) fn is_written(dir: &Path) -> bool {
    dir.join(DATA).symlink_metadata().is_ok()
}

fn fresh_name(dir: &Path, now: Timestamp) -> String {
    let time = now.strftime("%Y_%m_%d_%H_%M_%S");
    let names = (0_u32..).map(|number| format!("..{time}.{number}"));
    names.into_iter().find(|name| !dir.join(name).exists()).expect("numbers do not end")
}

fn put(path: &Path, file: &File, group: Option<u32>) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, &file.bytes)?;
    if group.is_some() {
        chown(path, None, group)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(file.mode))
}

/// Every file below a folder, with its path.
fn found(dir: &Path, below: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir.join(below))? {
        let path = below.join(entry?.file_name());
        let metadata = fs::metadata(dir.join(&path))?;
        if metadata.is_dir() {
            files.extend(found(dir, &path)?);
        } else {
            let bytes = fs::read(dir.join(&path))?;
            files.insert(path, File { bytes, mode: metadata.permissions().mode() & 0o7777 });
        }
    }
    Ok(files)
}

/// The names that users see: what is first in each path.
fn link(dir: &Path, files: &Files) -> io::Result<()> {
    let first = |path: &PathBuf| match path.components().next() {
        Some(Component::Normal(name)) => Some(PathBuf::from(name)),
        _ => None,
    };
    let names: BTreeSet<PathBuf> = files.keys().filter_map(first).collect();
    for name in &names {
        let (link, target) = (dir.join(name), Path::new(DATA).join(name));
        if fs::read_link(&link).ok().as_ref() != Some(&target) {
            remove(&link)?;
            symlink(target, link)?;
        }
    }
    for entry in fs::read_dir(dir)? {
        let name = PathBuf::from(entry?.file_name());
        if !names.contains(&name) && !name.to_string_lossy().starts_with("..") {
            remove(&dir.join(name))?;
        }
    }
    Ok(())
}

/// Removes the folders of earlier contents.
fn sweep(dir: &Path, kept: &str) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let is_old = name.to_string_lossy().starts_with("..") && name != *DATA && name != *kept;
        if is_old {
            remove(&dir.join(name))?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str, u32)]) -> Files {
        all.iter()
            .map(|(path, text, mode)| {
                (PathBuf::from(path), File { bytes: text.as_bytes().into(), mode: *mode })
            })
            .collect()
    }

    /// Every name in the folder, links with their targets, files with their contents.
    fn tree(dir: &Path, below: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in fs::read_dir(dir.join(below)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("a name");
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            let metadata = dir.join(&path).symlink_metadata().expect("it is there");
            if metadata.is_symlink() {
                lines
                    .push(format!("{path} -> {}", fs::read_link(dir.join(&path)).expect("a link").display()));
            } else if metadata.is_dir() {
                lines.extend(tree(dir, &path));
            } else {
                let text = fs::read_to_string(dir.join(&path)).expect("a text");
                lines.push(format!("{path} {:o} {text}", metadata.permissions().mode() & 0o7777));
            }
        }
        lines.sort();
        lines
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn contents_are_swapped_as_a_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().join("volume");
        assert!(!is_written(&dir));
        let first = files(&[("color", "red", 0o644), ("etc/deep/key", "k", 0o400)]);
        assert!(write(&dir, &first, None, at(0)).expect("written") && is_written(&dir));
        let wanted = [
            "..1970_01_01_00_00_00.0/color 644 red",
            "..1970_01_01_00_00_00.0/etc/deep/key 400 k",
            "..data -> ..1970_01_01_00_00_00.0",
            "color -> ..data/color",
            "etc -> ..data/etc",
        ];
        assert_eq!(tree(&dir, ""), wanted);
        assert!(!write(&dir, &first, None, at(5)).expect("written"), "nothing changed");
        assert_eq!(tree(&dir, ""), wanted);
        let opened = fs::File::open(dir.join("color")).expect("the old file");
        assert!(
            write(&dir, &files(&[("color", "blue", 0o600), ("size", "7", 0o644)]), None, at(5))
                .expect("written")
        );
        let wanted = [
            "..1970_01_01_00_00_05.0/color 600 blue",
            "..1970_01_01_00_00_05.0/size 644 7",
            "..data -> ..1970_01_01_00_00_05.0",
            "color -> ..data/color",
            "size -> ..data/size",
        ];
        assert_eq!(tree(&dir, ""), wanted);
        assert_eq!(io::read_to_string(opened).expect("still there"), "red", "who had it open reads on");
        assert!(write(&dir, &Files::new(), None, at(5)).expect("written"));
        assert_eq!(tree(&dir, ""), ["..data -> ..1970_01_01_00_00_05.1"]);
    }

    #[test]
    fn what_a_crash_or_an_older_agent_left_is_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        fs::write(dir.join("color"), "a plain file").expect("written");
        fs::create_dir(dir.join("..1969_01_01_00_00_00.0")).expect("made");
        symlink("nowhere", dir.join("..data_tmp")).expect("made");
        symlink("nowhere", dir.join("..data")).expect("made");
        assert!(write(dir, &files(&[("color", "red", 0o644)]), None, at(0)).expect("written"));
        let wanted = [
            "..1970_01_01_00_00_00.0/color 644 red",
            "..data -> ..1970_01_01_00_00_00.0",
            "color -> ..data/color",
        ];
        assert_eq!(tree(dir, ""), wanted);
    }
}
