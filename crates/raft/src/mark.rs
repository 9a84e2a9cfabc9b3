//! How far the log has been on the disk. The writer of the log moves the mark after each
//! sync, and the state's writer keeps it in the other database: so a log that later turns
//! out to be shorter is known to be damaged.

use std::sync::{Arc, Mutex, MutexGuard};

/// What a log on the disk holds at least.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Mark {
    /// The last entry's index, while `truncations` is the same.
    #[prost(uint64, tag = "1")]
    pub(crate) last_index: u64,
    /// The vote's term.
    #[prost(uint64, tag = "2")]
    pub(crate) term: u64,
    /// How often the log was truncated.
    #[prost(uint64, tag = "3")]
    pub(crate) truncations: u64,
}

/// What a write adds to the mark once it is on the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reached {
    pub(crate) last_index: Option<u64>,
    pub(crate) term: Option<u64>,
    pub(crate) truncations: Option<u64>,
    /// Entries before this index are purged, and may be removed.
    pub(crate) purged_end: Option<u64>,
}

/// The mark, shared between the two writers.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedMark(Arc<Mutex<Mark>>);

impl SharedMark {
    pub(crate) fn get(&self) -> Mark {
        *self.lock()
    }

    pub(crate) fn set(&self, mark: Mark) {
        *self.lock() = mark;
    }

    pub(crate) fn reach(&self, reached: impl Iterator<Item = Reached>) {
        let mut mark = self.lock();
        for Reached { last_index, term, truncations, .. } in reached {
            mark.last_index = last_index.unwrap_or(mark.last_index);
            mark.term = term.unwrap_or(mark.term);
            mark.truncations = truncations.unwrap_or(mark.truncations);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mark> {
        self.0.lock().expect("no holder of this lock panics")
    }
}
