//! Imports OCI and Docker archives: every digest is checked, every layer unpacked once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::layer::unpack;
use super::manifest::{
    ANNOTATION_NAME, ANNOTATION_REF, Descriptor, DockerManifest, Index, MEDIA_CONFIG, MEDIA_LAYER, Manifest,
    architecture,
};
use super::pack::{blob_path, to_json};
use super::{Digest, ImageConfig, ImageName, Store};
use crate::RuntimeError;

/// How deep an index may point at indexes.
const INDEX_DEPTH: usize = 4;

impl Store {
    /// Imports every image of an OCI or Docker archive; returns their normalised names. `name` replaces the names in
    /// the archive, which must then hold one image.
    pub fn import(&self, path: &Path, name: Option<&str>) -> Result<Vec<String>, RuntimeError> {
        let fail = |error: io::Error| RuntimeError::Image {
            image: path.display().to_string(),
            message: error.to_string(),
        };
        let archive = Archive::open(path, &self.tmp()).map_err(fail)?;
        let _lock = self.lock()?;
        self.clear_tmp()?;
        let found = if archive.contains("index.json") {
            oci_images(&archive)
        } else if archive.contains("manifest.json") {
            docker_images(&archive)
        } else {
            Err(io::Error::other("it has neither index.json (OCI) nor manifest.json (Docker)"))
        };
        let found = rename(found.map_err(fail)?, name).map_err(fail)?;
        let mut names = Vec::new();
        for candidate in &found {
            self.import_one(&archive, candidate).map_err(fail)?;
            names.extend(candidate.names.iter().map(ImageName::to_string));
        }
        Ok(names)
    }

    /// Imports every archive of a folder (`.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, `.oci`), in the order of their names.
    /// One that cannot be imported does not keep the others from it.
    pub fn import_dir(&self, dir: &Path) -> Vec<(PathBuf, Result<Vec<String>, RuntimeError>)> {
        let is_archive = |path: &PathBuf| {
            let name = path.to_string_lossy();
            [".tar", ".tar.gz", ".tgz", ".tar.zst", ".oci"].iter().any(|end| name.ends_with(end))
        };
        let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(is_archive).collect();
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let imported = self.import(&path, None);
                (path, imported)
            })
            .collect()
    }

    fn import_one(&self, archive: &Archive, candidate: &Candidate) -> io::Result<()> {
        let config: ImageConfig = serde_json::from_slice(&candidate.config)?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != candidate.layers.len() {
            return Err(io::Error::other("its config and its manifest disagree about the layers"));
        }
        for (layer, diff_id) in candidate.layers.iter().zip(diff_ids) {
            self.import_layer(archive, layer, diff_id)?;
        }
        let stored = (|| {
            self.put_blob(&candidate.config)?;
            let digest = self.put_blob(&candidate.manifest)?;
            candidate.names.iter().try_for_each(|name| self.put_reference(name, &digest))
        })();
        stored.map_err(io::Error::other)
    }

    fn import_layer(&self, archive: &Archive, layer: &Layer, diff_id: &Digest) -> io::Result<()> {
        let target = self.layer_path(diff_id);
        if target.is_dir() {
            return Ok(());
        }
        let partial = self.tmp().join(format!("{}.layer", diff_id.hex()));
        fs::create_dir(&partial)?;
        let unpacked = unpack(archive.reader(&layer.file)?, &partial)?;
        if layer.digest.as_ref().is_some_and(|digest| *digest != unpacked.digest) {
            return Err(io::Error::other(format!("layer {} has the digest {}", layer.file, unpacked.digest)));
        }
        if unpacked.diff_id != *diff_id {
            let found = unpacked.diff_id;
            return Err(io::Error::other(format!("layer {} unpacks to {found}, not {diff_id}", layer.file)));
        }
        sync_file_system(&partial)?;
        fs::rename(&partial, &target)
    }
}

/// After this, what is below the path survives a loss of power.
#[allow(unsafe_code, reason = "nix has no syncfs")]
pub(super) fn sync_file_system(path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let dir = fs::File::open(path)?;
    // SAFETY: the descriptor is open.
    if unsafe { libc::syncfs(dir.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An image found in an archive.
struct Candidate {
    names: Vec<ImageName>,
    manifest: Vec<u8>,
    config: Vec<u8>,
    layers: Vec<Layer>,
}

struct Layer {
    file: String,
    /// Absent in a Docker archive, which names layers by anything.
    digest: Option<Digest>,
}

fn rename(mut found: Vec<Candidate>, name: Option<&str>) -> io::Result<Vec<Candidate>> {
    if let Some(name) = name {
        let name = name.parse::<ImageName>().map_err(io::Error::other)?;
        match found.as_mut_slice() {
            [one] => one.names = vec![name],
            several => {
                return Err(io::Error::other(format!(
                    "it holds {} images: one name fits one",
                    several.len()
                )));
            }
        }
    }
    found.retain(|candidate| !candidate.names.is_empty());
    if found.is_empty() {
        return Err(io::Error::other("it holds no image with a name: give one with --name"));
    }
    Ok(found)
}

fn oci_images(archive: &Archive) -> io::Result<Vec<Candidate>> {
    let index: Index = serde_json::from_slice(&archive.document("index.json")?)?;
    let mut found = Vec::new();
    for entry in &index.manifests {
        if let Some(descriptor) = for_this_machine(archive, entry, INDEX_DEPTH)? {
            found.push(oci_image(archive, entry, &descriptor)?);
        }
    }
    Ok(found)
}

/// The manifest that a descriptor stands for: itself, or what its index has for this machine.
fn for_this_machine(archive: &Archive, entry: &Descriptor, depth: usize) -> io::Result<Option<Descriptor>> {
    let fits = |entry: &Descriptor| {
        entry
            .platform
            .as_ref()
            .is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture())
    };
    if !fits(entry) {
        return Ok(None);
    }
    if !entry.is_index() {
        return Ok(Some(entry.clone()));
    }
    if depth == 0 {
        return Err(io::Error::other("its indexes are nested too deeply"));
    }
    let index: Index = serde_json::from_slice(&blob(archive, &entry.digest)?)?;
    for inner in index.manifests.iter().filter(|inner| fits(inner)) {
        if archive.contains(&blob_path(&inner.digest)) {
            return for_this_machine(archive, inner, depth - 1);
        }
    }
    Err(io::Error::other(format!("it has no image for linux/{}", architecture())))
}

fn oci_image(archive: &Archive, entry: &Descriptor, descriptor: &Descriptor) -> io::Result<Candidate> {
    let bytes = blob(archive, &descriptor.digest)?;
    let manifest: Manifest = serde_json::from_slice(&bytes)?;
    let config = blob(archive, &manifest.config.digest)?;
    let layer =
        |layer: &Descriptor| Layer { file: blob_path(&layer.digest), digest: Some(layer.digest.clone()) };
    let layers = manifest.layers.iter().map(layer).collect();
    Ok(Candidate { names: oci_names(entry)?, manifest: bytes, config, layers })
}

fn oci_names(entry: &Descriptor) -> io::Result<Vec<ImageName>> {
    // A bare tag, as some tools write it into the first, names nothing.
    let full = entry.annotations.get(ANNOTATION_NAME);
    let short = entry.annotations.get(ANNOTATION_REF).filter(|name| name.contains(['/', ':']));
    match full.or(short) {
        Some(name) => Ok(vec![name.parse().map_err(io::Error::other)?]),
        None => Ok(Vec::new()),
    }
}

fn blob(archive: &Archive, digest: &Digest) -> io::Result<Vec<u8>> {
    let bytes = archive.document(&blob_path(digest))?;
    let found = Digest::of(&bytes);
    if found == *digest {
        Ok(bytes)
    } else {
        Err(io::Error::other(format!("blob {digest} has the digest {found}")))
    }
}

fn docker_images(archive: &Archive) -> io::Result<Vec<Candidate>> {
    let entries: Vec<DockerManifest> = serde_json::from_slice(&archive.document("manifest.json")?)?;
    entries.into_iter().map(|entry| docker_image(archive, entry)).collect()
}

fn docker_image(archive: &Archive, entry: DockerManifest) -> io::Result<Candidate> {
    let config = archive.document(&entry.config)?;
    let parsed: ImageConfig = serde_json::from_slice(&config)?;
    let tags = entry.repo_tags.unwrap_or_default();
    let names = tags.iter().map(|tag| tag.parse::<ImageName>().map_err(io::Error::other));
    // The archive has no manifest in OCI's sense: this one describes the layers as they lie there.
    let described = parsed.rootfs.diff_ids.iter().zip(&entry.layers).map(|(diff_id, file)| Descriptor {
        media_type: MEDIA_LAYER.into(),
        digest: diff_id.clone(),
        size: archive.size(file),
        platform: None,
        annotations: Default::default(),
    });
    let manifest = to_json(&Manifest::new(Descriptor::new(MEDIA_CONFIG, &config), described.collect()));
    let layers = entry.layers.iter().map(|file| Layer { file: file.clone(), digest: None }).collect();
    Ok(Candidate { names: names.collect::<Result<_, _>>()?, manifest, config, layers })
}
