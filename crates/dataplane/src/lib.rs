//! Services, endpoints, Ingresses and policies in, route tables and DNS records out. Pure.

pub mod dns;
mod endpoints;
pub mod ingress;
mod json;
mod route_table;

pub use endpoints::{Endpoint, Protocol};
pub use route_table::{ServicePort, route_table};
