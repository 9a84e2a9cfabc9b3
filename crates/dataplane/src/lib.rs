//! Services, endpoints and policies in, route tables out. Pure.

mod route_table;

pub use route_table::{Endpoint, ServicePort, route_table};
