//! The scheduler: nodes and pending pods in, decisions out. Pure: the driver in the
//! master lists what is pending, calls [`schedule`] once for all of it, and binds every
//! placed pod in one Raft entry.
//!
//! Filters (one file each under `filter/`) say which nodes can take a pod and, as data
//! that prints in Kubernetes' words, why the others cannot; scores (under `score/`) choose
//! among them. [`refusals`] answers for one pod, node by node, for whoever has to explain.

mod decision;
mod filter;
mod namespaces;
mod node;
mod pod;
mod pod_term;
mod ports;
mod refusal;
mod schedule;
mod score;
mod spread_constraint;

pub use decision::{Decision, Outcome};
pub use filter::refusals;
pub use namespaces::Namespaces;
pub use node::NodeInfo;
pub use pod::{PodInfo, is_pending};
pub use refusal::Refusal;
pub use schedule::schedule;
