//! The node agent: keeps one session with any master, and makes the pods that the API
//! binds to this node run.
//!
//! ```text
//! API ─► pod source (list + watch) ─► worker, one a pod ─► machine (pure) ─► Runtime
//!                                        ▲        └─► status ─► API
//!                       runtime events, probes, timers
//! ```

mod certificate;
mod clock;
mod config;
mod downward;
mod environment;
mod error;
mod events;
mod eviction;
mod join;
mod logs;
mod node_object;
mod node_pressure;
mod node_resources;
mod node_service;
mod pod;
mod probe;
mod run;
mod session;
mod sources;
mod stats_service;
mod volumes;

pub use config::Config;
pub use error::AgentError;
pub use eviction::Eviction;
pub use join::needs_token;
pub use run::run;
