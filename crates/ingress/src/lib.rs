//! The Ingress data path: HTTP by host and path, to ready endpoints.
//!
//! hyper speaks HTTP on both sides. Between a client's socket and hyper stands the `guard`,
//! which finds where each request ends by itself and strictly: what is ambiguous, too long or
//! too slow is refused before hyper, or an endpoint, sees a byte of it.
//!
//! A changed rule, endpoint or certificate replaces a table; connections stay as they are.

mod access_log;
mod body;
mod certificates;
mod chunks;
mod config;
mod connection;
mod endpoints;
mod exchange;
mod follow;
mod guard;
mod head;
mod headers;
mod keepalive;
mod listen;
mod pool;
mod server;
mod stall;
mod streams;
mod transport;
mod upstream;
mod wire;

pub use config::{Config, ConfigError};
pub use follow::{IngressError, run};

#[cfg(test)]
mod tests;
