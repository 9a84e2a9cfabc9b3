//! What single kinds do beside the generic behaviour, one file per kind.

mod pod;
mod rbac;

pub(crate) use pod::Pod;
pub(crate) use rbac::Rbac;
