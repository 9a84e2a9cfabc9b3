//! Packs a folder into an image: one gzip layer, its config, its manifest, as an OCI archive.
//!
//! The same folder gives the same bytes: entries are sorted, belong to root and carry no time.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::digest::Hashing;
use super::manifest::{
    ANNOTATION_NAME, ANNOTATION_REF, Descriptor, Index, MEDIA_CONFIG, MEDIA_INDEX, MEDIA_LAYER_GZIP,
    MEDIA_MANIFEST, Manifest, Platform, architecture,
};
use super::{Digest, ImageConfig, ImageName, ProcessConfig};
use crate::RuntimeError;

/// What to pack, and how its process is run.
#[derive(Debug, Clone, Default)]
pub struct PackOptions {
    /// The folder that becomes the image's root.
    pub dir: PathBuf,
    /// The image's name.
    pub name: String,
    /// Entrypoint, cmd, env, user, working directory.
    pub process: ProcessConfig,
}

/// Packs a folder into the OCI archive `output`. It appears whole or not at all.
pub fn pack(options: &PackOptions, output: &Path) -> Result<Digest, RuntimeError> {
    let name: ImageName =
        options.name.parse().map_err(|error: super::NameError| RuntimeError::Invalid(error.to_string()))?;
    if !options.dir.is_dir() {
        return Err(RuntimeError::Invalid(format!("{} is not a folder", options.dir.display())));
    }
    let partial = output.with_extension("partial");
    let packed = write_archive(options, &name, &partial).and_then(|digest| {
        std::fs::rename(&partial, output)?;
        Ok(digest)
    });
    packed.map_err(|error| {
        // What is left of it is of no use; that it could not be removed changes nothing.
        let _ = std::fs::remove_file(&partial);
        RuntimeError::io(format!("packing {} into {}", options.dir.display(), output.display()), error)
    })
}

fn write_archive(options: &PackOptions, name: &ImageName, partial: &Path) -> io::Result<Digest> {
    let mut layer = tempfile_beside(partial)?;
    let (diff_id, digest, size) = write_layer(&options.dir, &mut layer)?;
    layer.rewind()?;
    let layer_descriptor = Descriptor {
        media_type: MEDIA_LAYER_GZIP.into(),
        digest,
        size,
        platform: None,
        annotations: Default::default(),
    };
    let config = to_json(&ImageConfig::new(options.process.clone(), vec![diff_id]));
    let manifest =
        to_json(&Manifest::new(Descriptor::new(MEDIA_CONFIG, &config), vec![layer_descriptor.clone()]));
    let mut described = Descriptor::new(MEDIA_MANIFEST, &manifest);
    described.platform = Some(Platform { architecture: architecture().into(), os: "linux".into() });
    described.annotations.insert(ANNOTATION_REF.into(), name.to_string());
    described.annotations.insert(ANNOTATION_NAME.into(), name.to_string());
    let digest = described.digest.clone();
    let index =
        to_json(&Index { schema_version: 2, media_type: MEDIA_INDEX.into(), manifests: vec![described] });

    let mut tar = tar::Builder::new(BufWriter::new(File::create(partial)?));
    append(&mut tar, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut tar, "index.json", &index)?;
    append(&mut tar, &blob_path(&Digest::of(&manifest)), &manifest)?;
    append(&mut tar, &blob_path(&Digest::of(&config)), &config)?;
    let mut header = file_header(size, 0o644);
    tar.append_data(&mut header, blob_path(&layer_descriptor.digest), layer)?;
    tar.into_inner()?.into_inner().map_err(|error| error.into_error())?.sync_all()?;
    Ok(digest)
}

fn tempfile_beside(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::options().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(dir)
}

/// Writes the folder as a gzip layer: the tar's digest, the layer's digest and size.
fn write_layer(dir: &Path, output: &mut File) -> io::Result<(Digest, Digest, u64)> {
    let gzip = GzEncoder::new(Hashing::new(BufWriter::new(output)), Compression::new(6));
    let mut tar = tar::Builder::new(Hashing::new(gzip));
    append_tree(&mut tar, dir)?;
    let (gzip, diff_id, _) = tar.into_inner()?.finish();
    let (mut buffer, digest, size) = gzip.finish()?.finish();
    buffer.flush()?;
    Ok((diff_id, digest, size))
}

fn append_tree(tar: &mut tar::Builder<impl Write>, dir: &Path) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(dir).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let inside = entry.path().strip_prefix(dir).expect("walkdir stays below its folder");
        let metadata = entry.path().symlink_metadata()?;
        let kind = metadata.file_type();
        let mode = metadata.mode() & 0o7777;
        if kind.is_symlink() {
            let mut header = file_header(0, 0o777);
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, inside, std::fs::read_link(entry.path())?)?;
        } else if kind.is_dir() {
            let mut header = file_header(0, mode);
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, inside, io::empty())?;
        } else if kind.is_file() {
            let mut header = file_header(metadata.len(), mode);
            tar.append_data(&mut header, inside, File::open(entry.path())?)?;
        } else if !kind.is_socket() {
            return Err(io::Error::other(format!("{}: devices cannot be packed", inside.display())));
        }
    }
    Ok(())
}

pub(super) fn append(tar: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    tar.append_data(&mut file_header(bytes.len() as u64, 0o644), name, bytes)
}

pub(super) fn file_header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(super) fn to_json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("these types have only string keys")
}
