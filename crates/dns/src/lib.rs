//! The cluster's name server, run as the pods of the Deployment `kube-dns`.
//!
//! It answers the cluster's own names from a table in memory, which follows the API and
//! stays as it is while no master answers, and passes all other names on to the host's
//! resolvers. A query for the cluster's names meets no lock, no allocation and no task.

mod answer;
mod batch;
mod config;
mod follow;
mod forward;
mod health;
mod query;
mod resolver;
mod serve;
mod tcp;
mod udp;

#[cfg(test)]
mod tests;

pub use config::{Api, Config, ConfigError};
pub use serve::{DnsError, run};
