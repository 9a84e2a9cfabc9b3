//! The harness of the end-to-end tests: real processes, driven the way a user drives
//! them, and the proof that they left nothing behind.
//!
//! [`demo`] is the whole demo cluster that `scripts/up.sh` boots; it owns fixed names on
//! the machine, so one test at a time holds it. [`masters`] is one or three masters only.

pub mod demo;
pub mod forward;
pub mod grpcurl;
pub mod hosts;
pub mod kubectl;
pub mod leaks;
pub mod lone;
pub mod machine;
pub mod masters;
pub mod orphans;
pub mod outcome;
pub mod processes;
pub mod program_image;
pub mod programs;
pub mod skips;
pub mod terminal;
pub mod waiting;
pub mod xctl;
