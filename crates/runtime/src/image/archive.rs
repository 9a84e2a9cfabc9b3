//! A tar archive on disk whose files can be opened by name, in any order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

use super::layer::decompress;

/// The most bytes that a document (index, manifest, config) may have.
const DOCUMENT_BYTES: u64 = 8 << 20;

pub(super) struct Archive {
    file: File,
    /// Each file's offset and size.
    files: BTreeMap<String, (u64, u64)>,
}

impl Archive {
    /// Opens it and reads its headers. A compressed archive is unpacked into an unnamed file below `scratch` first.
    pub(super) fn open(path: &Path, scratch: &Path) -> io::Result<Archive> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::other("it is a folder, not an archive"));
        }
        let mut magic = [0; 4];
        let read = file.read_at(&mut magic, 0)?;
        if magic[..read].starts_with(&[0x1f, 0x8b]) || magic == [0x28, 0xb5, 0x2f, 0xfd] {
            let mut plain = unnamed_file(scratch)?;
            io::copy(&mut decompress(file)?, &mut plain)?;
            plain.rewind()?;
            file = plain;
        }
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&file).entries_with_seek()? {
            let entry = entry?;
            if entry.header().entry_type().is_file() {
                let name = normal_name(&entry.path()?);
                files.insert(name, (entry.raw_file_position(), entry.size()));
            }
        }
        Ok(Archive { file, files })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// A file's size in bytes; 0 where it is not there.
    pub(super) fn size(&self, name: &str) -> u64 {
        self.files.get(name).map_or(0, |(_, size)| *size)
    }

    /// Opens one of its files.
    pub(super) fn reader(&self, name: &str) -> io::Result<ArchiveFile<'_>> {
        let found = self.files.get(name);
        let &(offset, size) = found.ok_or_else(|| io::Error::other(format!("it has no file {name:?}")))?;
        Ok(ArchiveFile { file: &self.file, offset, left: size })
    }

    /// Reads a small file whole.
    pub(super) fn document(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut reader = self.reader(name)?;
        if reader.left > DOCUMENT_BYTES {
            return Err(io::Error::other(format!("{name:?} is larger than {DOCUMENT_BYTES} bytes")));
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn normal_name(path: &Path) -> String {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// A file without a name: it goes away with its last descriptor.
fn unnamed_file(dir: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(dir)
}

/// One file of an archive.
pub(super) struct ArchiveFile<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl Read for ArchiveFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut buffer[..want], self.offset)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short"));
        }
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}
