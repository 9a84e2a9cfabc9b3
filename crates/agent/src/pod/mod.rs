//! Pods: where they come from, what is done with one, and what is said of it.

pub(crate) mod containers;
pub(crate) mod machine;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod worker;
