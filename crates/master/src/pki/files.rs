//! A master's own files under `pki/`, readable by nobody else.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::MasterError;

/// The files of a master.
#[derive(Clone, Debug)]
pub(crate) struct PkiFiles(PathBuf);

impl PkiFiles {
    /// Those under a data folder; the folder `pki/` is made.
    ///
    /// # Errors
    /// [`MasterError::Io`].
    pub(crate) fn open(data_dir: &Path) -> Result<Self, MasterError> {
        let path = data_dir.join("pki");
        private_folder(&path)?;
        Ok(Self(path))
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`MasterError::Io`].
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, MasterError> {
        let path = self.0.join(name);
        fs::read(&path).map_err(|source| MasterError::Io { path, source })
    }

    /// Reads one that is text.
    ///
    /// # Errors
    /// [`MasterError::Io`].
    pub(crate) fn read_text(&self, name: &str) -> Result<String, MasterError> {
        Ok(String::from_utf8_lossy(&self.read(name)?).into_owned())
    }

    /// Writes one, all or nothing.
    ///
    /// # Errors
    /// [`MasterError::Io`].
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), MasterError> {
        write_private(&self.0.join(name), bytes.as_ref())
    }
}

/// Makes a folder that only its owner looks into, also where it is there already: what
/// the store's library makes in it is readable otherwise.
///
/// # Errors
/// [`MasterError::Io`].
pub(crate) fn private_folder(path: &Path) -> Result<(), MasterError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let private = made.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)));
    private.map_err(|source| MasterError::Io { path: path.to_owned(), source })
}

/// Writes a file that only its owner reads, all or nothing, and so that it is there after a
/// power loss: without its sealing key a master cannot open the cluster's keys any more.
///
/// # Errors
/// [`MasterError::Io`].
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), MasterError> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| MasterError::Io { path: path.to_owned(), source })
}
