//! A master: the replicated store, the API over it, and, on the one that leads, the
//! loops that make the cluster what its objects say.
//!
//! ```text
//! 6443  TLS, client certificate or token   Resources · Cluster · Nodes · Pods, and Kubernetes REST
//! 6444  mTLS, masters only                 Raft · Peer · Sessions
//! ```

mod admin;
mod cluster_keys;
pub mod config;
mod connections;
mod dialer;
mod earlier_cluster;
mod error;
mod identity;
mod kubeconfig;
mod late;
mod leader;
mod listen;
mod liveness;
mod master;
mod members;
mod pki;
mod seal;
mod serve;
mod services;
mod sessions;
mod store_adapter;
mod tokens;

pub use admin::write_kubeconfig;
pub use config::Config;
pub use error::MasterError;
pub use master::run;
