//! The archives: packed from what is here, and unpacked to here with nothing written beside its place, whatever the
//! container sends.

use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use tar::{Archive, Builder, Entry, EntryType, Header};

use super::place::names;

/// What goes through the network at once.
const CHUNK_BYTES: usize = 32 << 10;
/// What is left out is named up to here.
const MOST_NAMED: usize = 10;

/// Packs a file or a folder under another name. Links in it stay links.
pub(super) fn pack(from: &Path, name: &Path, to: impl Write) -> Result<()> {
    let mut archive = Builder::new(BufWriter::with_capacity(CHUNK_BYTES, to));
    let mut left = vec![(from.to_owned(), name.to_owned())];
    while let Some((path, name)) = left.pop() {
        append(&mut archive, &path, &name, path == from, &mut left)
            .with_context(|| format!("cannot copy {}", path.display()))?;
    }
    archive.into_inner()?.flush()?;
    Ok(())
}

/// Appends what is at a path, and says what is left to append where that is a folder.
fn append(
    archive: &mut Builder<impl Write>,
    path: &Path,
    name: &Path,
    follows: bool,
    left: &mut Vec<(PathBuf, PathBuf)>,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_metadata(&if follows { fs::metadata(path)? } else { fs::symlink_metadata(path)? });
    match header.entry_type() {
        EntryType::Regular => append_file(archive, header, name, fs::File::open(path)?),
        EntryType::Symlink => archive.append_link(&mut header, name, fs::read_link(path)?),
        EntryType::Directory => {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                left.push((entry.path(), name.join(entry.file_name())));
            }
            archive.append_data(&mut header, name, io::empty())
        }
        EntryType::Fifo => archive.append_data(&mut header, name, io::empty()),
        _ => Err(io::Error::other("sockets and devices are not copied")),
    }
}

/// Appends a file, of the size that its header says, whatever it has become since: what follows is found by that.
fn append_file(
    archive: &mut Builder<impl Write>,
    mut header: Header,
    name: &Path,
    data: impl Read,
) -> io::Result<()> {
    let size = header.size()?;
    archive.append_data(&mut header, name, data.chain(io::repeat(0)).take(size))
}

/// What was left out of what was unpacked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    named: Vec<String>,
    more: usize,
}

impl LeftOut {
    fn add(&mut self, what: String) {
        if self.named.len() < MOST_NAMED { self.named.push(what) } else { self.more += 1 }
    }

    /// A line for each, and one for those that are not named.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.named.iter().map(|what| format!("warning: skipping {what}")).collect();
        if self.more > 0 {
            lines.push(format!("warning: skipping {} more", self.more));
        }
        lines
    }
}

/// Unpacks what was packed of `packed` to `to`. Links are left out, as they may lead anywhere here.
pub(super) fn unpack(from: impl Read, packed: &Path, to: &Path) -> Result<LeftOut> {
    let mut left_out = LeftOut::default();
    let mut archive = Archive::new(BufReader::with_capacity(CHUNK_BYTES, from));
    let root = names(packed).unwrap_or_default();
    let mut is_first = true;
    for entry in archive.entries()? {
        let mut entry = entry.context("the archive from the container broke off")?;
        let path = entry.path()?.into_owned();
        let below = names(&path).and_then(|names| Some(names.strip_prefix(&root).ok()?.to_owned()));
        let below =
            below.ok_or_else(|| anyhow!("the container sent {}, which was not asked for", path.display()))?;
        // A file goes into a folder that is there.
        let into = is_first && !entry.header().entry_type().is_dir() && to.is_dir();
        let place = match packed.file_name().filter(|_| into) {
            Some(name) => to.join(name),
            None if below.as_os_str().is_empty() => to.to_owned(),
            None => to.join(below),
        };
        is_first = false;
        write(&mut entry, &path, &place, to, &root, &mut left_out)
            .with_context(|| format!("cannot write {}", place.display()))?;
    }
    if is_first { Err(anyhow!("the container sent nothing")) } else { Ok(left_out) }
}

fn write(
    entry: &mut Entry<'_, impl Read>,
    path: &Path,
    place: &Path,
    to: &Path,
    root: &Path,
    left_out: &mut LeftOut,
) -> Result<()> {
    match entry.header().entry_type() {
        EntryType::Directory => Ok(fs::create_dir_all(place)?),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            if let Some(folder) = place.parent() {
                fs::create_dir_all(folder)?;
            }
            entry.unpack(place)?;
            Ok(())
        }
        // Another name of a file that came before.
        EntryType::Link => {
            let first = entry.link_name()?.and_then(|name| names(&name));
            let first = first.and_then(|name| Some(to.join(name.strip_prefix(root).ok()?)));
            match first.filter(|first| first.is_file()) {
                Some(first) if first == place => {}
                // What is there may be a link, through which a copy would write.
                Some(first) => match fs::remove_file(place) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                    _ => fs::copy(first, place).map(drop)?,
                },
                None => left_out.add(format!("link: {}", path.display())),
            }
            Ok(())
        }
        EntryType::Symlink => {
            let target = entry.link_name()?.map(|name| name.display().to_string()).unwrap_or_default();
            left_out.add(format!("symlink: {} -> {target}", path.display()));
            Ok(())
        }
        _ => {
            left_out.add(format!("special file: {}", path.display()));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileExt, PermissionsExt, symlink};

    fn packed(from: &Path, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(from, Path::new(name), &mut bytes).expect("packed");
        bytes
    }

    fn sent(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        for (path, kind, text) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            // As a name that `tar` itself refuses to write.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            let linked = matches!(kind, EntryType::Link | EntryType::Symlink);
            if linked {
                header.set_link_name(text).expect("short");
            }
            let body = if linked { "" } else { text };
            header.set_size(body.len() as u64);
            header.set_cksum();
            archive.append(&header, body.as_bytes()).expect("packed");
        }
        archive.into_inner().expect("whole")
    }

    #[test]
    fn a_folder_comes_back_as_it_was_but_for_its_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("deep")).expect("made");
        fs::write(from.join("deep/run"), "text").expect("written");
        fs::set_permissions(from.join("deep/run"), PermissionsExt::from_mode(0o750)).expect("ours");
        symlink("/etc/passwd", from.join("link")).expect("made");
        let left_out = unpack(&packed(&from, "tmp/x")[..], Path::new("/tmp/x"), &to).expect("unpacked");
        assert_eq!(left_out.lines(), ["warning: skipping symlink: tmp/x/link -> /etc/passwd"]);
        assert_eq!(fs::read_to_string(to.join("deep/run")).expect("there"), "text");
        let mode = fs::metadata(to.join("deep/run")).expect("there").permissions().mode();
        assert_eq!((mode & 0o777, to.join("link").exists()), (0o750, false));
    }

    #[test]
    fn a_file_with_holes_is_packed_as_any_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("holes");
        fs::File::create(&path).and_then(|file| file.write_all_at(b"end", 1 << 20)).expect("written");
        let (bytes, mut text) = (packed(&path, "holes"), Vec::new());
        let mut archive = Archive::new(&bytes[..]);
        let mut entry = archive.entries().expect("entries").next().expect("one").expect("whole");
        assert_eq!(entry.header().entry_type(), EntryType::Regular);
        entry.read_to_end(&mut text).expect("whole");
        assert!(text.len() == (1 << 20) + 3 && text.ends_with(b"\0end"), "{} bytes", text.len());
    }

    #[test]
    fn a_file_that_changes_its_size_meanwhile_leaves_the_rest_whole() {
        let mut archive = Builder::new(Vec::new());
        for (name, data) in [("shrunk", "ab"), ("grown", "abcdef"), ("same", "abcd")] {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_size(4);
            append_file(&mut archive, header, Path::new(name), data.as_bytes()).expect("packed");
        }
        let (bytes, mut texts) = (archive.into_inner().expect("whole"), Vec::new());
        for entry in Archive::new(&bytes[..]).entries().expect("entries") {
            texts.push(io::read_to_string(entry.expect("whole")).expect("text"));
        }
        assert_eq!(texts, ["ab\0\0", "abcd", "abcd"]);
    }

    #[test]
    fn a_file_goes_to_its_place_or_into_a_folder_that_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = sent(&[("tmp/a", EntryType::Regular, "text")]);
        for (to, wanted) in [("b", "b"), (".", "a")] {
            let to = folder.path().join(to);
            unpack(&bytes[..], Path::new("/tmp/a"), &to).expect("unpacked");
            assert_eq!(fs::read_to_string(folder.path().join(wanted)).expect("there"), "text");
        }
        let linked = sent(&[("d/a", EntryType::Regular, "text"), ("d/b", EntryType::Link, "d/a")]);
        let to = folder.path().join("d");
        unpack(&linked[..], Path::new("d"), &to).expect("unpacked");
        assert_eq!(fs::read_to_string(to.join("b")).expect("there"), "text");
    }

    #[test]
    fn another_name_of_a_file_is_written_through_no_link() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (to, beside) = (scratch.path().join("d"), scratch.path().join("beside"));
        fs::create_dir(&to).expect("made");
        fs::write(&beside, "ours").expect("written");
        symlink(&beside, to.join("b")).expect("made");
        let (folder, file, link) = (EntryType::Directory, EntryType::Regular, EntryType::Link);
        let entries = [("d", folder, ""), ("d/a", file, "text"), ("d/b", link, "d/a"), ("d/a", link, "d/a")];
        unpack(&sent(&entries)[..], Path::new("d"), &to).expect("unpacked");
        let read = |path: &Path| fs::read_to_string(path).expect("there");
        assert_eq!([read(&beside), read(&to.join("a")), read(&to.join("b"))], ["ours", "text", "text"]);
    }

    #[test]
    fn nothing_is_written_beside_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("to");
        for path in ["tmp/x/../../../beside", "tmp/y", "/etc/shadow", "tmp/x/a/../../b"] {
            let bytes = sent(&[(path, EntryType::Regular, "text")]);
            let error = unpack(&bytes[..], Path::new("/tmp/x"), &to).expect_err(path);
            assert!(error.to_string().contains("which was not asked for"), "{path}: {error:#}");
        }
        assert!(fs::read_dir(folder.path()).expect("there").next().is_none());
        let nothing = unpack(&sent(&[])[..], Path::new("/tmp/x"), &to).expect_err("nothing came");
        assert_eq!(nothing.to_string(), "the container sent nothing");
    }
}
