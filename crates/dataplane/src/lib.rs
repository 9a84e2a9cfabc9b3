//! Services, endpoints and policies in, route tables out. Pure.

mod route_table;

pub use route_table::{Endpoint, Protocol, ServicePort, route_table};
