//! The harness of the end-to-end tests: the demo cluster that `scripts/up.sh` boots,
//! driven the way a user drives it, and the proof that it left nothing behind.
//!
//! The demo owns fixed names on the machine, so one test at a time holds it.

pub mod demo;
pub mod leaks;
pub mod waiting;
