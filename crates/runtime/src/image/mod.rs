//! Images: packing a folder into one, importing archives, and the node's store of unpacked layers.
//!
//! The store keeps an image's manifest and config as blobs named by their SHA-256, and each layer unpacked in a folder
//! named by its diff-id. Compressed layers are not kept. What has a final name is whole and was checked: everything is
//! made under a temporary name, synced, and renamed.

mod archive;
mod digest;
mod import;
mod layer;
mod manifest;
mod name;
mod pack;
mod rooted;
mod store;
mod system;
#[cfg(test)]
mod tests;

pub use digest::Digest;
pub use manifest::{ImageConfig, ProcessConfig};
pub use name::{ImageName, NameError};
pub use pack::{PackOptions, pack};
pub(crate) use rooted::{RootedDir, c_string, openat2};
pub(crate) use store::private_dir;
pub use store::{Image, Store};
pub use system::{SYSTEM_ENTRYPOINT, system_image_name};
