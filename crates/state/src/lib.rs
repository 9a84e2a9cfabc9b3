//! The replicated state machine: what Raft's entries mean.
//!
//! A [`Transaction`] is decided before it is proposed; [`State::apply`] only checks
//! its preconditions and performs its operations, so it is deterministic: no clock,
//! no randomness, no I/O. The state is persistent (`imbl`): cloning it is O(1), so
//! a snapshot, a list at a revision and a reader all hold a clone.
//!
//! ```text
//! Transaction ──► apply(&mut State, entry's term) ──► Reply
//!                      │
//!                      ├─ objects:  resource ► (namespace, name) ► Entry (JSON bytes)
//!                      ├─ rings:    resource ► the last events, bounded by bytes
//!                      ├─ revision: +1 per mutation, the resourceVersion
//!                      └─ hash:     of all objects, compared between replicas
//! ```

mod apply;
mod key;
#[cfg(test)]
mod properties;
mod ring;
mod snapshot;
mod state;
mod transaction;

pub use apply::Halt;
pub use key::Key;
pub use ring::{Compacted, Event, EventKind};
pub use snapshot::{SnapshotError, SnapshotReader, StateBuilder, encode_object};
pub use state::{Entry, State};
pub use transaction::{Decode, HashAt, Operation, Precondition, Refusal, Reply, Transaction};
