//! How both sled databases are opened, and how records are sealed in them.
//!
//! A record is `[magic, version, crc32 of the rest, body]`. Values are cut to at most
//! [`CHUNK_BYTES`]: sled moves a page of more than a quarter of a segment into a file
//! that it never syncs, and a leaf splits by count (16), not by size.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use sled::IVec;

/// The largest value, in bytes; 16 of them are under a quarter of a segment.
pub(crate) const CHUNK_BYTES: usize = 24 << 10;
/// Of which the value itself.
const CHUNK_ROOM: usize = CHUNK_BYTES - 16;
/// sled holds several buffers of this size: with 4 MiB a master took 10 MiB more.
const SEGMENT_BYTES: usize = 2 << 20;
/// sled's own page cache, in bytes. No hard bound: it holds about what is live.
const CACHE_BYTES: u64 = 8 << 20;
/// How long a lock is waited for, and between two tries.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_RETRY: Duration = Duration::from_millis(10);
const MAGIC: u8 = b'X';
const VERSION: u8 = 1;

/// A database that must not be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// sled could not open or read it.
    #[error("{what}: {source}")]
    Sled {
        /// Which database, and what was done.
        what: String,
        /// sled's own error.
        source: sled::Error,
    },
    /// A record's checksum does not fit its bytes.
    #[error("{what}: a record fails its checksum")]
    Checksum {
        /// Which record.
        what: String,
    },
    /// Written by a newer Xebec.
    #[error("{what}: written in format {found}, newer than this binary's {VERSION}: upgrade this master")]
    Newer {
        /// Which record.
        what: String,
        /// The format found.
        found: u8,
    },
    /// sled gave up on it.
    #[error("{what}: its files make no sense to sled")]
    Panicked {
        /// Which database.
        what: String,
    },
    /// Something that should be there is not.
    #[error("{what}")]
    Missing {
        /// What, and of what.
        what: String,
    },
}

impl From<Damage> for std::io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, damage)
    }
}

/// Opens and reads a database. sled panics over some damage where it should not.
pub(crate) fn guarded<T>(path: &Path, open: impl FnOnce() -> Result<T, Damage>) -> Result<T, Damage> {
    // Nothing that was opened half survives the panic.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
    outcome.unwrap_or_else(|_| Err(Damage::Panicked { what: path.display().to_string() }))
}

/// Opens a database; it is made when it is not there. A lock that somebody holds is
/// waited for: sled lets go of it in its own threads, a moment after it was dropped.
pub(crate) fn open(path: &Path) -> Result<sled::Db, Damage> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let opened = sled::Config::default()
            .path(path)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(CACHE_BYTES)
            // Nothing is flushed behind our back: what is acknowledged is flushed by us.
            .flush_every_ms(None)
            .open();
        match opened {
            Err(sled::Error::Io(error)) if is_locked(&error) && Instant::now() < deadline => {
                std::thread::sleep(LOCK_RETRY);
            }
            outcome => {
                let what = || format!("open {}", path.display());
                return outcome.map_err(|source| Damage::Sled { what: what(), source });
            }
        }
    }
}

/// sled tells it by its words alone: the error's kind is `Other`.
fn is_locked(error: &std::io::Error) -> bool {
    error.to_string().starts_with("could not acquire lock")
}

/// Puts on the disk what the database's files hold, and that they are there: what an
/// earlier process wrote and did not sync is only in the page cache, and sled never syncs
/// a folder.
pub(crate) fn sync(db: &sled::Db, path: &Path) -> Result<(), Damage> {
    let error = |source: sled::Error| Damage::Sled { what: format!("sync {}", path.display()), source };
    db.flush().map_err(error)?;
    let folders = [Some(path), path.parent(), path.parent().and_then(Path::parent)];
    for path in folders.into_iter().flatten().filter(|path| !path.as_os_str().is_empty()) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| error(source.into()))?;
    }
    File::open(path.join("db")).and_then(|file| file.sync_all()).map_err(|source| error(source.into()))
}

/// A record's bytes with magic, version and checksum in front.
pub(crate) fn seal(body: &[u8]) -> IVec {
    let mut record = Vec::with_capacity(body.len() + 6);
    record.extend([MAGIC, VERSION]);
    record.extend(crc32fast::hash(body).to_le_bytes());
    record.extend(body);
    record.into()
}

/// A record's body.
pub(crate) fn unseal<'a>(record: &'a [u8], what: &dyn Fn() -> String) -> Result<&'a [u8], Damage> {
    let checksum = || Damage::Checksum { what: what() };
    let (head, body) = record.split_at_checked(6).ok_or_else(checksum)?;
    if head[0] != MAGIC {
        return Err(checksum());
    }
    if head[1] > VERSION {
        return Err(Damage::Newer { what: what(), found: head[1] });
    }
    let crc: [u8; 4] = head[2..6].try_into().expect("four bytes");
    if u32::from_le_bytes(crc) != crc32fast::hash(body) {
        return Err(checksum());
    }
    Ok(body)
}

/// Into how many chunks a value is cut.
pub(crate) fn chunks_of(length: usize) -> u32 {
    u32::try_from(length.div_ceil(CHUNK_ROOM).max(1)).expect("a value is below 4 GiB")
}

/// Cuts a value into sealed chunks under `key` + a chunk number. The first chunk
/// starts with how many there are.
pub(crate) fn seal_chunks(key: &[u8], value: &[u8]) -> Vec<(Vec<u8>, IVec)> {
    let count = chunks_of(value.len());
    (0..count)
        .map(|number| {
            let from = number as usize * CHUNK_ROOM;
            let part = &value[from..value.len().min(from + CHUNK_ROOM)];
            let mut body = Vec::with_capacity(part.len() + 4);
            body.extend(count.to_be_bytes());
            body.extend(part);
            (chunk_key(key, number), seal(&body))
        })
        .collect()
}

pub(crate) fn chunk_key(key: &[u8], number: u32) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

/// How many chunks the value has of which this is one, and this one's bytes.
pub(crate) fn unseal_chunk<'a>(
    record: &'a [u8],
    what: &dyn Fn() -> String,
) -> Result<(u32, &'a [u8]), Damage> {
    let body = unseal(record, what)?;
    let (count, part) = body.split_at_checked(4).ok_or_else(|| Damage::Checksum { what: what() })?;
    Ok((u32::from_be_bytes(count.try_into().expect("four bytes")), part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what() -> String {
        "a test's record".to_owned()
    }

    #[test]
    fn chunks_come_back_whole() {
        for length in [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 7] {
            let value: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let chunks = seal_chunks(b"key", &value);
            assert!(chunks.iter().all(|(_, chunk)| chunk.len() <= CHUNK_BYTES));
            let mut back: Vec<u8> = Vec::new();
            for (_, chunk) in &chunks {
                let (count, part) = unseal_chunk(chunk, &what).expect("whole");
                assert_eq!(count as usize, chunks.len());
                back.extend(part);
            }
            assert_eq!(back, value);
        }
    }

    #[test]
    fn one_flipped_bit_is_found() {
        let sealed = seal(b"three masts");
        for bit in 16..sealed.len() * 8 {
            let mut damaged = sealed.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(unseal(&damaged, &what), Err(Damage::Checksum { .. })), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut newer = seal(b"three masts").to_vec();
        newer[1] = 9;
        assert!(matches!(unseal(&newer, &what), Err(Damage::Newer { found: 9, .. })));
    }
}
