//! What single kinds do beside the generic behaviour, one file per kind.

mod pod;

pub(crate) use pod::Pod;
