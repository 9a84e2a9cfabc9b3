//! The node's images on disk.
//!
//! ```text
//! images/lock                   held by whoever adds or removes
//! images/leases.lock            held for the moment in which leases are written or weighed
//! images/blobs/<hex>            manifests and configs
//! images/layers/<hex>/          a layer, unpacked, named by its diff-id
//! images/refs/<hex of name>     {"name", "manifest"}: one normalised name
//! images/leases/<owner>         the layers that a running container uses
//! images/tmp/                   what is being made
//! ```
//! Several processes may use it at once (the agent, `xebec image import`): changes are serialised by a file lock, and
//! readers see only what was renamed into place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::{Digest, ImageConfig, ImageName};
use crate::{ImageInfo, RuntimeError};

/// The store of one node.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// An image that is whole on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its manifest's digest.
    pub digest: Digest,
    /// Its config.
    pub config: ImageConfig,
    /// Its unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
    /// The sum of its compressed layers, in bytes.
    pub size_bytes: u64,
}

/// One name of an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) manifest: Digest,
}

impl Store {
    /// Opens the store below `data_dir/images`, made where it is not there.
    pub fn open(data_dir: &Path) -> Result<Store, RuntimeError> {
        let store = Store { root: data_dir.join("images") };
        private_dir(&store.root)
            .map_err(|error| RuntimeError::io(format!("making {}", store.root.display()), error))?;
        for dir in ["blobs", "layers", "refs", "leases", "tmp"] {
            let path = store.root.join(dir);
            fs::create_dir_all(&path)
                .map_err(|error| RuntimeError::io(format!("making {}", path.display()), error))?;
        }
        Ok(store)
    }

    /// The image of that name, normalised first; a name with a digest matches by its digest alone.
    pub fn find(&self, name: &str) -> Result<Option<Image>, RuntimeError> {
        let parsed: ImageName = name.parse().map_err(|error: super::NameError| RuntimeError::Image {
            image: name.into(),
            message: error.to_string(),
        })?;
        let manifest = match &parsed.digest {
            Some(digest) => Some(digest.clone()),
            None => self.reference(&parsed.to_string())?.map(|reference| reference.manifest),
        };
        match manifest {
            Some(digest) => self.load(&digest, name),
            None => Ok(None),
        }
    }

    /// Every image with its names, sorted by its first name.
    pub fn ls(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        let mut names: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for reference in self.references()? {
            names.entry(reference.manifest).or_default().push(reference.name);
        }
        let mut images = Vec::new();
        for (digest, mut names) in names {
            names.sort();
            if let Some(image) = self.load(&digest, &names[0])? {
                images.push(ImageInfo { names, digest: digest.to_string(), size_bytes: image.size_bytes });
            }
        }
        images.sort_by(|left, right| left.names.cmp(&right.names));
        Ok(images)
    }

    /// Takes a name away, and then every layer that no other name and no running container needs. False where there
    /// is no such name.
    pub fn rm(&self, name: &str) -> Result<bool, RuntimeError> {
        let parsed: ImageName =
            name.parse().map_err(|error: super::NameError| RuntimeError::Invalid(error.to_string()))?;
        let _lock = self.lock()?;
        self.clear_tmp()?;
        let path = self.reference_path(&parsed.to_string());
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(RuntimeError::io(format!("removing {}", path.display()), error)),
        }
        self.sweep()?;
        Ok(true)
    }

    /// Takes away what no name and no running container needs, such as an image that lost its name while it ran.
    /// Whether there was anything.
    pub fn reclaim(&self) -> Result<bool, RuntimeError> {
        let _lock = self.lock()?;
        self.clear_tmp()?;
        self.sweep()
    }

    /// Keeps an image's layers while a container uses them, whatever happens to its names. `owner` is a file name.
    /// False where a layer was removed since the image was found.
    pub fn lease(&self, owner: &str, image: &Image) -> Result<bool, RuntimeError> {
        let _lock = self.lock_file("leases.lock")?;
        if !image.layers.iter().all(|layer| layer.is_dir()) {
            return Ok(false);
        }
        let bytes = serde_json::to_vec(&image.config.rootfs.diff_ids).expect("digests are strings");
        self.write(&self.root.join("leases").join(owner), &bytes)?;
        Ok(true)
    }

    /// Gives up every lease whose name begins so. Layers without a name go at the next [`Store::rm`] or
    /// [`Store::reclaim`].
    pub fn release(&self, owner_prefix: &str) -> Result<(), RuntimeError> {
        for path in self.files("leases")? {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(owner_prefix)) {
                remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Gives up one lease.
    pub fn release_one(&self, owner: &str) -> Result<(), RuntimeError> {
        remove_file(&self.root.join("leases").join(owner))
    }

    pub(super) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Whoever holds it may change the store. It is given up when it is dropped, or with the process.
    pub(super) fn lock(&self) -> Result<Flock<File>, RuntimeError> {
        self.lock_file("lock")
    }

    fn lock_file(&self, name: &str) -> Result<Flock<File>, RuntimeError> {
        let path = self.root.join(name);
        let fail = |error: io::Error| RuntimeError::io(format!("locking {}", path.display()), error);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| fail(errno.into()))
    }

    /// Removes what an import or a removal left when it was cut short. The caller holds the lock.
    pub(super) fn clear_tmp(&self) -> Result<(), RuntimeError> {
        for path in self.files("tmp")?.into_iter().filter(|path| path.is_dir()) {
            fs::remove_dir_all(&path)
                .map_err(|error| RuntimeError::io(format!("removing {}", path.display()), error))?;
        }
        Ok(())
    }

    pub(super) fn put_blob(&self, bytes: &[u8]) -> Result<Digest, RuntimeError> {
        let digest = Digest::of(bytes);
        self.write(&self.root.join("blobs").join(digest.hex()), bytes)?;
        Ok(digest)
    }

    pub(super) fn put_reference(&self, name: &ImageName, manifest: &Digest) -> Result<(), RuntimeError> {
        let reference = Reference { name: name.to_string(), manifest: manifest.clone() };
        let bytes = serde_json::to_vec(&reference).expect("two strings");
        self.write(&self.reference_path(&reference.name), &bytes)
    }

    /// Writes a file whole: synced under another name, then renamed.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RuntimeError> {
        let name = path.file_name().expect("every path here has a name").to_string_lossy();
        let partial = self.tmp().join(format!("{name}.{}", std::process::id()));
        let written = (|| {
            let mut file = File::create(&partial)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&partial, path)
        })();
        written.map_err(|error| RuntimeError::io(format!("writing {}", path.display()), error))
    }

    fn reference_path(&self, name: &str) -> PathBuf {
        self.root.join("refs").join(Digest::of(name.as_bytes()).hex())
    }

    fn reference(&self, name: &str) -> Result<Option<Reference>, RuntimeError> {
        read_json(&self.reference_path(name))
    }

    fn references(&self) -> Result<Vec<Reference>, RuntimeError> {
        let mut found = Vec::new();
        for path in self.files("refs")? {
            found.extend(read_json(&path)?);
        }
        Ok(found)
    }

    fn files(&self, dir: &str) -> Result<Vec<PathBuf>, RuntimeError> {
        let path = self.root.join(dir);
        let read = fs::read_dir(&path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        read.map_err(|error| RuntimeError::io(format!("reading {}", path.display()), error))
    }

    /// Reads an image; nothing where a part of it is not there.
    fn load(&self, digest: &Digest, name: &str) -> Result<Option<Image>, RuntimeError> {
        let Some(manifest) = self.document::<Manifest>(digest, name)? else { return Ok(None) };
        let Some(config) = self.document::<ImageConfig>(&manifest.config.digest, name)? else {
            return Ok(None);
        };
        let layers: Vec<PathBuf> = config.rootfs.diff_ids.iter().map(|id| self.layer_path(id)).collect();
        if !layers.iter().all(|layer| layer.is_dir()) {
            return Ok(None);
        }
        let size_bytes = manifest.layers.iter().map(|layer| layer.size).sum();
        Ok(Some(Image { digest: digest.clone(), config, layers, size_bytes }))
    }

    /// Reads a blob and checks that it is what its name says.
    fn document<T: serde::de::DeserializeOwned>(
        &self,
        digest: &Digest,
        name: &str,
    ) -> Result<Option<T>, RuntimeError> {
        let path = self.root.join("blobs").join(digest.hex());
        let fail = |message: String| RuntimeError::Image { image: name.into(), message };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RuntimeError::io(format!("reading {}", path.display()), error)),
        };
        if Digest::of(&bytes) != *digest {
            return Err(fail(format!("{} is damaged; import the image again", path.display())));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| fail(error.to_string()))
    }

    /// Removes blobs and layers that nothing needs; whether there were any. The caller holds the lock.
    fn sweep(&self) -> Result<bool, RuntimeError> {
        let mut kept = BTreeSet::new();
        for reference in self.references()? {
            kept.insert(reference.manifest.hex().to_owned());
            let Some(manifest) = self.document::<Manifest>(&reference.manifest, &reference.name)? else {
                continue;
            };
            kept.insert(manifest.config.digest.hex().to_owned());
            if let Some(config) = self.document::<ImageConfig>(&manifest.config.digest, &reference.name)? {
                kept.extend(config.rootfs.diff_ids.iter().map(|id| id.hex().to_owned()));
            }
        }
        let leases = self.lock_file("leases.lock")?;
        for lease in self.files("leases")? {
            let layers: Option<Vec<Digest>> = read_json(&lease)?;
            kept.extend(layers.into_iter().flatten().map(|id| id.hex().to_owned()));
        }
        let unneeded = |path: &PathBuf| {
            !path.file_name().is_some_and(|name| kept.contains(name.to_string_lossy().as_ref()))
        };
        let blobs: Vec<PathBuf> = self.files("blobs")?.into_iter().filter(unneeded).collect();
        for path in &blobs {
            remove_file(path)?;
        }
        let mut doomed = Vec::new();
        for path in self.files("layers")?.into_iter().filter(unneeded) {
            doomed.push(self.set_aside(&path)?);
        }
        drop(leases);
        let remove = |path: &PathBuf| {
            fs::remove_dir_all(path)
                .map_err(|error| RuntimeError::io(format!("removing {}", path.display()), error))
        };
        doomed.iter().try_for_each(remove)?;
        Ok(!blobs.is_empty() || !doomed.is_empty())
    }

    /// Gives a folder another name, so that nobody sees half of it while it is removed.
    fn set_aside(&self, path: &Path) -> Result<PathBuf, RuntimeError> {
        let name = path.file_name().expect("every path here has a name").to_string_lossy();
        let aside = self.tmp().join(format!("{name}.gone"));
        let fail = |error| RuntimeError::io(format!("removing {}", path.display()), error);
        fs::rename(path, &aside).map_err(fail)?;
        Ok(aside)
    }
}

/// Makes a folder that only root can look into: images have programs that make their caller root, and containers'
/// configurations have Secrets.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

fn remove_file(path: &Path) -> Result<(), RuntimeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RuntimeError::io(format!("removing {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, RuntimeError> {
    let fail = |error: io::Error| RuntimeError::io(format!("reading {}", path.display()), error);
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| fail(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(error)),
    }
}
