//! Recent states, kept so that all pages of a list show one revision. A state is a
//! root pointer: what it costs is what changed since. Bounded in number and time; beyond
//! that, and for the pages of other masters, the events are undone as far as they reach.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use xebec_state::State;

/// How long a page's `continue` is good for.
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// How many revisions are kept at once.
const MOST: usize = 64;

/// The states that a `continue` may still name, oldest first.
#[derive(Default)]
pub(crate) struct History {
    states: Mutex<VecDeque<(Timestamp, Arc<State>)>>,
}

impl History {
    /// Keeps a state for a page to come.
    pub(crate) fn keep(&self, now: Timestamp, state: &Arc<State>) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|(at, kept)| now.duration_since(*at) < LIFETIME && kept.revision() != state.revision());
        if states.len() == MOST {
            states.pop_front();
        }
        states.push_back((now, state.clone()));
    }

    /// The state of a revision, if it is still kept.
    pub(crate) fn at(&self, now: Timestamp, revision: u64) -> Option<Arc<State>> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.retain(|(at, _)| now.duration_since(*at) < LIFETIME);
        states.iter().find(|(_, state)| state.revision() == revision).map(|(_, state)| state.clone())
    }
}
