//! The gRPC face: `xebec.v1.Resources` over [`crate::ApiServer`].

mod convert;
mod identity;
mod resources;

pub use crate::connection::PeerCertificates;
pub use identity::authenticate;
pub use resources::ResourcesService;
