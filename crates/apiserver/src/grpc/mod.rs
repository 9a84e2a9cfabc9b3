//! The gRPC face: `xebec.v1.Resources` over [`crate::ApiServer`].

mod convert;
mod identity;
mod resources;

pub use identity::{PeerCertificates, authenticate};
pub use resources::ResourcesService;
