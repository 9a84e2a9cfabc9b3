//! The Kubernetes objects: what an object is, the resource table that names every
//! kind, selectors, quantities, defaults, validation, and the one error type.
//!
//! Pure: no clock, no randomness, no I/O. Time and ids are arguments.

pub mod address;
mod at;
pub mod check;
pub mod disruption;
pub mod error;
pub mod facts;
pub mod field_selector;
pub mod limit_range;
pub mod metadata;
pub mod name;
pub mod node_affinity;
pub mod object;
pub mod openapi;
pub mod pem;
pub mod pod;
pub mod pod_security;
pub mod protobuf;
pub mod quantity;
pub mod quota;
pub mod resource;
pub mod selector;
pub mod strategic_merge;
mod strategy;
pub mod table;
pub mod table_view;
pub mod taint;
pub mod time;
pub mod tls_secret;
pub mod well_known;
