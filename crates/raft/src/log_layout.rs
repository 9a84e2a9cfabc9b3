//! Keys and records of the database `log/`.
//!
//! | key | value |
//! |---|---|
//! | `e` + index + chunk number | an entry, cut to chunks |
//! | `mvote`, `mpurged`, `mcommitted`, `mtruncations` | one sealed record each |

use prost::Message;
use sled::{IVec, Tree};
use xebec_rpc::raft::v1;

use crate::database::{self, Damage};
use crate::types::{self, Entry};

pub(crate) const VOTE: &[u8] = b"mvote";
pub(crate) const PURGED: &[u8] = b"mpurged";
pub(crate) const COMMITTED: &[u8] = b"mcommitted";
/// How often the log was truncated, a [`v1::LogId`] of which only the index counts.
pub(crate) const TRUNCATIONS: &[u8] = b"mtruncations";
/// Bytes of entries that one read gives, so that no message grows without bound.
pub(crate) const READ_BYTES: usize = 2 << 20;

pub(crate) fn entry_key(index: u64) -> Vec<u8> {
    [b"e".as_slice(), &index.to_be_bytes()].concat()
}

pub(crate) fn sled_error(source: sled::Error) -> Damage {
    Damage::Sled { what: "read the log".into(), source }
}

pub(crate) fn read<M: Message + Default>(tree: &Tree, key: &[u8]) -> Result<Option<M>, Damage> {
    let what = || format!("the log's {}", String::from_utf8_lossy(key));
    let Some(record) = tree.get(key).map_err(sled_error)? else { return Ok(None) };
    let body = database::unseal(&record, &what)?;
    M::decode(body).map(Some).map_err(|_| Damage::Checksum { what: what() })
}

pub(crate) fn index_of(key: &IVec) -> u64 {
    u64::from_be_bytes(key[1..9].try_into().expect("an entry's key has eight bytes of index"))
}

/// Entries from the disk, as many as fit the budget, at least one if there is one.
pub(crate) fn read_entries(tree: &Tree, from: u64, to: u64) -> Result<Vec<Entry>, Damage> {
    let mut entries = Vec::new();
    let (mut whole, mut seen, mut total) = (Vec::new(), 0, 0);
    for pair in tree.range(entry_key(from)..entry_range_end(to)) {
        let (key, record) = pair.map_err(sled_error)?;
        let index = index_of(&key);
        let what = || format!("entry {index} of the log");
        let (count, part) = database::unseal_chunk(&record, &what)?;
        if key[..] != database::chunk_key(&entry_key(index), seen) {
            return Err(Damage::Missing { what: format!("part {seen} of an entry of the log is lost") });
        }
        whole.extend_from_slice(part);
        seen += 1;
        if seen < count {
            continue;
        }
        let wire = v1::Entry::decode(whole.as_slice()).map_err(|_| Damage::Checksum { what: what() })?;
        total += whole.len();
        entries.push(types::entry_from_wire(wire).map_err(|_| Damage::Checksum { what: what() })?);
        (whole, seen) = (Vec::new(), 0);
        if total > READ_BYTES {
            return Ok(entries);
        }
    }
    if seen > 0 {
        return Err(Damage::Missing { what: format!("part {seen} of the last entry of the log is lost") });
    }
    Ok(entries)
}

pub(crate) fn entry_range_end(to: u64) -> Vec<u8> {
    if to == u64::MAX { b"f".to_vec() } else { entry_key(to) }
}
