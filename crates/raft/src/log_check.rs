//! Whether a log that was opened is the log that was written. sled takes a damaged page
//! for the end of its file and forgets what follows, so a log that is too short must be
//! told from one that a power loss cut where nothing was acknowledged.

use sled::{IVec, Tree};

use crate::database::{self, Damage};
use crate::log_layout::{entry_key, entry_range_end, index_of, read_entries, sled_error};
use crate::mark::Mark;
use crate::types::{LogId, Vote};

/// What an opened log holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) vote: Option<Vote>,
    pub(crate) purged: Option<LogId>,
    pub(crate) last: Option<LogId>,
    pub(crate) truncations: u64,
}

impl Found {
    /// As a mark of what is on the disk.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            last_index: self.last.map_or(0, |last| last.index),
            term: self.vote.map_or(0, |vote| vote.leader_id.term),
            truncations: self.truncations,
        }
    }

    /// Whether log and state can be of one history: what was promised to others, and what
    /// was on the disk by the state's mark, must still be known.
    ///
    /// # Errors
    /// [`Damage::Missing`] when something is lost.
    pub(crate) fn agrees_with(&self, applied: Option<LogId>, mark: Mark) -> Result<(), Damage> {
        let missing = |what: String| Err(Damage::Missing { what });
        let newest = self.last.max(applied);
        // The very first entry is written before anybody votes.
        let of_entries = newest.filter(|newest| newest.index > 0).map_or(0, |newest| newest.leader_id.term);
        let (wanted, found) = (of_entries.max(mark.term), self.mark());
        if found.term < wanted {
            return missing(format!("the vote of term {wanted} is lost"));
        }
        if found.truncations < mark.truncations {
            return missing("the end of the log is lost".to_owned());
        }
        if found.truncations == mark.truncations && found.last_index < mark.last_index {
            let (last, reached) = (found.last_index, mark.last_index);
            return missing(format!("the log ends with entry {last}, but had reached {reached}"));
        }
        if applied.map(|id| id.index) < self.purged.map(|id| id.index) {
            let purged = self.purged.map_or(0, |purged| purged.index);
            let applied = applied.map_or("nothing".to_owned(), |id| format!("entry {}", id.index));
            return missing(format!(
                "the log begins behind entry {purged}, but the state ends with {applied}"
            ));
        }
        Ok(())
    }
}

/// Removes what a purge had already given up, and an entry that is there in part at the
/// end: both are what a power loss leaves of a write that nobody was told of.
pub(crate) fn finish_interrupted(tree: &Tree, purged: Option<LogId>) -> Result<(), Damage> {
    let purged_end = purged.map_or(0, |purged| purged.index + 1);
    let mut stale: Vec<IVec> = Vec::new();
    for key in tree.range(entry_key(0)..entry_key(purged_end)).keys() {
        stale.push(key.map_err(sled_error)?);
    }
    if let Some((key, record)) =
        tree.range(entry_key(0)..entry_range_end(u64::MAX)).next_back().transpose().map_err(sled_error)?
    {
        let index = index_of(&key);
        let what = || format!("entry {index} of the log");
        let (count, _) = database::unseal_chunk(&record, &what)?;
        if key[..] != database::chunk_key(&entry_key(index), count.saturating_sub(1)) {
            for key in tree.range(entry_key(index)..entry_range_end(u64::MAX)).keys() {
                stale.push(key.map_err(sled_error)?);
            }
        }
    }
    for key in stale {
        tree.remove(key).map_err(sled_error)?;
    }
    Ok(())
}

/// Reads the whole log once: every checksum holds, and no entry is missing between what
/// was purged and the last one. Gives the last one.
pub(crate) fn verify(tree: &Tree, purged: Option<LogId>) -> Result<Option<LogId>, Damage> {
    let mut last = purged;
    loop {
        let next = last.map_or(0, |last| last.index + 1);
        let part = read_entries(tree, next, u64::MAX)?;
        if part.is_empty() {
            return Ok(last);
        }
        for (entry, wanted) in part.iter().zip(next..) {
            let found = entry.log_id.index;
            if found != wanted || last > Some(entry.log_id) {
                return Err(Damage::Missing {
                    what: format!("entry {wanted} of the log is lost, {found} is there"),
                });
            }
            last = Some(entry.log_id);
        }
    }
}
