//! A master's identity: a random Raft id, made once and kept in its data folder, and
//! the cluster it belongs to. An id is never used again on another log: that could make
//! two quorums (openraft issue 2002).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "meta.json";
const FORMAT: u32 = 1;

/// What `meta.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Random, never zero.
    pub raft_id: u64,
    /// The cluster's id, shared by all of its masters.
    pub cluster_id: String,
    /// The format of the folder.
    pub format: u32,
    /// This master was taken out of the cluster, for good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// A data folder whose identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Is not what this program wrote.
    #[error("{path}: {source}: the data folder is damaged; {}", rejoin(.path, .name))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The master's name.
        name: String,
        /// Where it stopped making sense.
        source: serde_json::Error,
    },
    /// Was written by a newer Xebec.
    #[error("{path}: format {found} is newer than this binary's {FORMAT}: upgrade this master")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
}

impl Identity {
    /// A fresh identity in a cluster.
    #[must_use]
    pub fn new(raft_id: u64, cluster_id: &str) -> Self {
        Self { raft_id, cluster_id: cluster_id.to_owned(), format: FORMAT, removed: false }
    }

    /// The identity of this master's data folder, `None` when it has none yet.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn load(dir: &Path, name: &str) -> Result<Option<Self>, IdentityError> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Io { path, source }),
        };
        let damaged = |source| IdentityError::Damaged { path: path.clone(), name: name.to_owned(), source };
        let identity: Self = serde_json::from_slice(&text).map_err(damaged)?;
        if identity.format > FORMAT {
            return Err(IdentityError::Newer { path, found: identity.format });
        }
        Ok(Some(identity))
    }

    /// Writes the identity so that a power loss leaves either all of it or nothing.
    ///
    /// # Errors
    /// [`IdentityError::Io`].
    pub fn store(&self, dir: &Path) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        let write = || -> io::Result<()> {
            let part = dir.join("meta.json.part");
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            File::open(dir)?.sync_all()
        };
        write().map_err(|source| IdentityError::Io { path: path.clone(), source })
    }
}

/// How a master comes back whose data folder, that of `path`, cannot be used.
#[must_use]
pub fn rejoin(path: &Path, name: &str) -> String {
    let anew = join_anew(path.parent().unwrap_or(path));
    format!("to rejoin: take the old member out (`xctl cluster remove-master {name}`), {anew}")
}

/// How a master whose name is free joins, that has this data folder of no use.
#[must_use]
pub fn join_anew(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "move {folder} aside, make a master token (`xctl token create --master`) into token_file, name the other \
         masters in join, and start again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Identity::load(dir.path(), "m1").expect("nothing there"), None);
        let identity = Identity::new(42, "c-1");
        identity.store(dir.path()).expect("stored");
        let text = fs::read_to_string(dir.path().join(FILE)).expect("there");
        assert!(!text.contains("removed"), "an earlier version reads it: {text}");
        assert_eq!(Identity::load(dir.path(), "m1").expect("there"), Some(identity.clone()));
        let removed = Identity { removed: true, ..identity };
        removed.store(dir.path()).expect("stored");
        assert_eq!(Identity::load(dir.path(), "m1").expect("there"), Some(removed));
    }

    #[test]
    fn a_damaged_one_says_how_to_rejoin() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(FILE), "{").expect("written");
        let error = Identity::load(dir.path(), "m1").expect_err("damaged").to_string();
        let first = "to rejoin: take the old member out (`xctl cluster remove-master m1`), move ";
        assert!(error.contains(first), "{error}");
    }
}
