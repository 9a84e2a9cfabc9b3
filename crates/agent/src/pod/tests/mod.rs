//! Pods from their objects to their statuses, on a runtime and an API in memory. Time is
//! paused: it moves on when everybody waits.

mod ends;
mod events;
mod eviction;
mod failures;
mod hooks;
mod node;
mod probes;
mod reports;
mod sandboxes;
mod sidecars;
mod starts;
mod streams;
mod volumes;
mod world;
