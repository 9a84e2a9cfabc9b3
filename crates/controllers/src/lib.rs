//! Controllers: `reconcile(view, key, now) -> Plan`. Each file is one controller, a
//! pure function from the applied state to the writes that bring it closer to what its
//! objects ask for. The driver that watches, calls them and executes their plans lives
//! in the master; nothing here does I/O, reads a clock or draws a random number.
//!
//! Three rules hold for every controller and are tested: it is level-triggered (the
//! state alone decides, never the event), it is idempotent (reconciling the result of
//! a plan gives an empty plan), and a status update keeps what others wrote.

mod controller;
mod plan;
mod view;

pub use controller::{Controller, ObjectKey};
pub use plan::{Action, EventKind, EventRecord, Involved, Plan};
pub use view::{ClusterSettings, View};

/// Every controller that a cluster runs.
#[must_use]
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![]
}
