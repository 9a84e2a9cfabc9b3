//! Services, endpoints, Ingresses and policies in, route tables and DNS records out. Pure.

pub mod dns;
pub mod ingress;
mod route_table;

pub use route_table::{Endpoint, Protocol, ServicePort, route_table};
