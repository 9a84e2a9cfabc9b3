//! What a worker remembers of its pod between two looks: what the runtime cannot say,
//! since nothing exists that would say it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use xebec_runtime::{ContainerPhase, Sandbox};

use super::{FORGIVEN_AFTER, LOOK_FOR_IT_EVERY, after, backoff, parse_run};

/// What the worker remembers between two looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// When the first run was asked for the pod's end.
    pub(crate) terminating_since: Option<Timestamp>,
    /// Runs that were asked for it; one that was condemned before had its SIGTERM then.
    pub(crate) asked: BTreeSet<String>,
    /// What keeps the SIGTERM of a run back that was asked to end, by its id.
    pub(crate) pre_stops: BTreeMap<String, PreStop>,
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
    /// Runs whose `postStart` has not succeeded yet: nobody is told that they run, and what
    /// comes after them waits.
    pub(crate) opening: BTreeSet<String>,
    /// By container, how many short runs have ended one after another.
    pub(super) short_runs: BTreeMap<String, ShortRuns>,
    /// What runs that have ended said of their end, by their id.
    pub(crate) messages: BTreeMap<String, String>,
    /// Why the node ended the pod before its containers did.
    pub(crate) failure: Option<Failure>,
}

/// Runs that ended too early, one after another; a long one before them is the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShortRuns {
    /// The last run that was counted.
    attempt: u32,
    in_a_row: u32,
}

impl Memory {
    /// Counts every run that has ended since the last look. What ended before the agent
    /// began counts as far as the runtime still knows it.
    pub(crate) fn count_ends(&mut self, sandbox: Option<&Sandbox>) {
        let runs = sandbox.into_iter().flat_map(|sandbox| &sandbox.containers);
        let mut runs: Vec<_> = runs.filter_map(|state| Some((parse_run(&state.id)?, state))).collect();
        runs.sort_by_key(|((_, attempt), _)| *attempt);
        for ((container, attempt), state) in runs {
            let ContainerPhase::Exited { finished_at, .. } = &state.phase else { continue };
            let known = self.short_runs.get(container);
            if known.is_some_and(|known| attempt <= known.attempt) {
                continue;
            }
            let ran = finished_at.duration_since(state.started_at).unsigned_abs();
            let in_a_row = match known {
                // Another container follows: its first end is the first.
                _ if self.replaced.contains(&state.id) => 0,
                Some(known) if ran < FORGIVEN_AFTER => known.in_a_row + 1,
                _ => 1,
            };
            self.short_runs.insert(container.to_owned(), ShortRuns { attempt, in_a_row });
        }
    }

    /// Seconds that are left to a pod that its node ends, where they are not its own.
    pub(super) fn forced_grace(&self) -> Option<i64> {
        self.failure.as_ref()?.grace_seconds
    }

    /// How many pauses before the next run have grown from the short runs: the first one
    /// is followed at once.
    pub(crate) fn pauses(&self, container: &str) -> u32 {
        self.short_runs.get(container).map_or(0, |runs| runs.in_a_row.saturating_sub(1))
    }
}

/// How far a run's way to its SIGTERM is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreStop {
    /// Its hook runs.
    Runs,
    /// It was sent then.
    Over(Timestamp),
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
    /// Others made it necessary: the pod's owner need not count it as a failure.
    pub(crate) is_disruption: bool,
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
