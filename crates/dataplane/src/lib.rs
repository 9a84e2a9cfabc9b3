//! Services, endpoints, Ingresses and policies in, route tables out. Pure.

pub mod ingress;
mod route_table;

pub use route_table::{Endpoint, Protocol, ServicePort, route_table};
