//! The replicated store of a master: openraft over sled and gRPC, behind one handle.
//!
//! ```text
//! Node::propose ─► openraft ─► log_store ─► log_writer (one thread, one fdatasync a group)
//!                     │  └───► network ──► service on the peers
//!                     └──────► state_machine ─► Published (ArcSwap) ─► readers, watchers
//!                                    └────────► state_store (written behind)
//! ```
//!
//! openraft's types stay inside this crate: on disk and on the wire are our own.

mod barrier;
mod core;
mod database;
mod durable;
pub mod identity;
mod leadership;
mod log_check;
mod log_layout;
mod log_store;
mod log_writer;
mod mark;
mod membership;
mod network;
mod node;
mod removal;
mod service;
mod sessions;
mod state_machine;
mod state_store;
mod types;

#[cfg(test)]
mod cluster_test;
#[cfg(test)]
mod damage_test;
#[cfg(test)]
mod store_test;
#[cfg(test)]
mod suite_test;

pub use self::core::{ProposeError, TRANSACTION_BYTES};
pub use database::Damage;
pub use durable::sync_file_range;
pub use leadership::Leadership;
pub use node::{MemberStatus, Node, Options, StartError, Timings};
pub use service::{PeerService, RaftService};
pub use types::Member;
