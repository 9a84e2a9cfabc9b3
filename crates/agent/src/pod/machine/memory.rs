//! What a worker remembers of its pod between two looks: what the runtime cannot say,
//! since nothing exists that would say it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{LOOK_FOR_IT_EVERY, after, backoff};

/// What the worker remembers between two looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// When the first SIGTERM of the pod's end was sent.
    pub(crate) terminating_since: Option<Timestamp>,
    /// Runs that were sent one for the pod's end.
    pub(crate) asked: BTreeSet<String>,
    /// Runs that a liveness or startup probe condemned, by their id.
    pub(crate) condemned: BTreeMap<String, Condemned>,
    /// Runs that end because their container is another by now: the next follows at once,
    /// whatever the pod's policy.
    pub(crate) replaced: BTreeSet<String>,
    /// Starts that failed, by container.
    pub(crate) failed_starts: BTreeMap<String, FailedStart>,
    /// The newest run of each container, also of those whose sandbox is gone.
    pub(crate) newest: BTreeMap<String, u32>,
    /// Runs that are up: they run, and their startup probe has succeeded.
    pub(crate) started: BTreeSet<String>,
    /// What runs that have ended said of their end, by their id.
    pub(crate) messages: BTreeMap<String, String>,
    /// Why the node ended the pod before its containers did.
    pub(crate) failure: Option<Failure>,
}

/// A run that must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condemned {
    /// Between its SIGTERM and its SIGKILL; the pod's own where it is absent.
    pub(crate) grace_seconds: Option<i64>,
    /// When it was asked to end.
    pub(crate) asked: Option<Timestamp>,
}

/// Why the node ended a pod, as its status says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Between SIGTERM and SIGKILL; the pod's own where it is absent.
    pub(crate) grace_seconds: Option<i64>,
}

/// A start that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedStart {
    pub(crate) attempt: u32,
    pub(crate) at: Timestamp,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// What its command would have ended with, where it got that far: then it counts as a
    /// run. Else something was not there, and the same run is tried again.
    pub(crate) exit_code: Option<i32>,
    /// How many in a row.
    pub(crate) times: u32,
}

impl FailedStart {
    /// When, and as which run, it is tried again.
    pub(super) fn again(&self) -> (Timestamp, u32) {
        match self.exit_code {
            Some(_) => (after(self.at, backoff(self.times)), self.attempt + 1),
            None => (after(self.at, LOOK_FOR_IT_EVERY), self.attempt),
        }
    }
}
