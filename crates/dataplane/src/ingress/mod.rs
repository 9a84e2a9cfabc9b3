//! Ingresses, with the classes, Services, EndpointSlices and Secrets that they name, as
//! one immutable table: which backend a host and a path lead to, and which certificate a
//! name gets.
//!
//! Every rule stands for itself. What is wrong with one (a Service or port that is not
//! there, a host and path that an older Ingress has) becomes a [`Problem`] and changes
//! nothing for the others; a request for a backend that does not work is answered 503, it
//! never falls to somebody else's rule.

mod backend;
mod build;
mod class;
mod problem;
mod rules;
mod spelling;
mod table;

pub use backend::Backend;
pub use build::{Sources, ingress_table};
pub use class::{CONTROLLER, is_served};
pub use problem::Problem;
pub use table::{IngressTable, SecretName};

#[cfg(test)]
mod tests;
