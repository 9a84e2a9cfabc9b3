//! The gRPC face: `xebec.v1.Resources` and `xebec.v1.Pods` over [`crate::ApiServer`].

mod convert;
mod identity;
mod pods;
mod resources;

pub use crate::connection::PeerCertificates;
pub use identity::authenticate;
pub use pods::PodsService;
pub use resources::ResourcesService;
