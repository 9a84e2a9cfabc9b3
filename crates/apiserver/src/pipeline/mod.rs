//! The stages between a verb and the store, in their order.

pub(crate) mod admission;
mod allocation;
mod authorize;
pub(crate) mod decode;
pub(crate) mod managed_fields;
mod propose;
pub(crate) mod validation;
