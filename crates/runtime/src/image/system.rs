//! The image of this very executable: `xebec.local/system:<version>`, whose only file is `/xebec`.
//!
//! The executable is static, so it needs nothing else. It is copied once per build into a layer; no archive is made.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::digest::Hashing;
use super::import::sync_file_system;
use super::manifest::{Descriptor, MEDIA_CONFIG, MEDIA_LAYER, Manifest};
use super::pack::{file_header, to_json};
use super::{Digest, ImageConfig, ImageName, ProcessConfig, Store};
use crate::RuntimeError;

/// Where the executable lies in the image.
pub const SYSTEM_ENTRYPOINT: &str = "/xebec";

/// The name of the system image of a version.
pub fn system_image_name(version: &str) -> String {
    format!("xebec.local/system:{version}")
}

impl Store {
    /// Makes the system image from an executable where it is not there already; returns its name.
    pub fn add_system_image(&self, executable: &Path, version: &str) -> Result<String, RuntimeError> {
        let name = system_image_name(version);
        let added = self.add_executable(executable, &name);
        added.map_err(|error| RuntimeError::io(format!("packing {}", executable.display()), error))?;
        Ok(name)
    }

    fn add_executable(&self, executable: &Path, name: &str) -> io::Result<()> {
        let parsed: ImageName = name.parse().map_err(io::Error::other)?;
        let _lock = self.lock().map_err(io::Error::other)?;
        let stamp = stamp(executable)?;
        let known = fs::read_to_string(self.tmp().join("system.stamp")).unwrap_or_default();
        if known == stamp && matches!(self.find(name), Ok(Some(_))) {
            return Ok(());
        }
        self.clear_tmp().map_err(io::Error::other)?;
        let (diff_id, size) = layer_digest(executable)?;
        self.add_layer(executable, &diff_id)?;
        let process = ProcessConfig {
            entrypoint: Some(vec![SYSTEM_ENTRYPOINT.into()]),
            working_dir: "/".into(),
            ..ProcessConfig::default()
        };
        let config = to_json(&ImageConfig::new(process, vec![diff_id.clone()]));
        let layer = Descriptor {
            media_type: MEDIA_LAYER.into(),
            digest: diff_id,
            size,
            platform: None,
            annotations: Default::default(),
        };
        let manifest = to_json(&Manifest::new(Descriptor::new(MEDIA_CONFIG, &config), vec![layer]));
        let stored = (|| {
            self.put_blob(&config)?;
            let digest = self.put_blob(&manifest)?;
            self.put_reference(&parsed, &digest)
        })();
        stored.map_err(io::Error::other)?;
        fs::write(self.tmp().join("system.stamp"), stamp)
    }

    fn add_layer(&self, executable: &Path, diff_id: &Digest) -> io::Result<()> {
        let target = self.layer_path(diff_id);
        if target.is_dir() {
            return Ok(());
        }
        let partial = self.tmp().join(format!("{}.layer", diff_id.hex()));
        fs::create_dir(&partial)?;
        let file = partial.join("xebec");
        fs::copy(executable, &file)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        sync_file_system(&partial)?;
        fs::rename(&partial, &target)
    }
}

/// Tells one build of the executable from another without reading it.
fn stamp(executable: &Path) -> io::Result<String> {
    let metadata = fs::metadata(executable)?;
    let (dev, inode, size) = (metadata.dev(), metadata.ino(), metadata.size());
    Ok(format!("{dev} {inode} {size} {}.{}", metadata.mtime(), metadata.mtime_nsec()))
}

/// The digest and the size of the layer as a tar, which is never written.
fn layer_digest(executable: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(executable)?;
    let mut tar = tar::Builder::new(Hashing::new(io::sink()));
    let size = file.metadata()?.len();
    tar.append_data(&mut file_header(size, 0o755), "xebec", file.by_ref().take(size))?;
    let (_, digest, size) = tar.into_inner()?.finish();
    Ok((digest, size))
}
