//! Pods: where they come from, what is done with one, and what is said of it.

pub(crate) mod containers;
mod dns;
mod execute;
mod follow;
mod hooks;
mod leaving;
pub(crate) mod machine;
mod oom;
mod reporter;
mod resources;
mod said;
pub(crate) mod sandboxes;
pub(crate) mod source;
pub(crate) mod status;
mod termination;
#[cfg(test)]
mod tests;
pub(crate) mod worker;
