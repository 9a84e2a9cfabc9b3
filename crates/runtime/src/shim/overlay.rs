//! Mounts a container's root: its image's layers below, a folder of its own above.
//!
//! Through `fsopen` where the kernel has it: each layer is its own `lowerdir+`, so that neither the length nor the
//! characters of a path are limited. Else through `mount(2)`, with short relative paths.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};

use crate::mount_api::{Configuration, attach};

/// The folders of one container's root.
pub(super) struct Root {
    /// Where it is mounted.
    pub(super) merged: PathBuf,
    upper: PathBuf,
    work: PathBuf,
}

impl Root {
    /// The folders below `dir`.
    pub(super) fn below(dir: &Path) -> Root {
        Root { merged: dir.join("merged"), upper: dir.join("upper"), work: dir.join("work") }
    }

    /// Mounts it over `layers`, lowest first.
    pub(super) fn mount(&self, layers: &[PathBuf]) -> io::Result<()> {
        for dir in [&self.merged, &self.upper, &self.work] {
            fs::create_dir_all(dir)?;
        }
        match self.mount_by_descriptor(layers) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {
                self.mount_by_string(layers)
            }
            mounted => mounted,
        }
    }

    /// Takes the mount away, at once for new users and for old ones once they are done.
    pub(super) fn unmount(&self) {
        // Not mounted is what is wanted.
        let _ = nix::mount::umount2(&self.merged, MntFlags::MNT_DETACH);
    }

    fn mount_by_descriptor(&self, layers: &[PathBuf]) -> io::Result<()> {
        let overlay = Configuration::of(c"overlay")?;
        for layer in layers.iter().rev() {
            overlay.set("lowerdir+", layer.as_os_str())?;
        }
        overlay.set("upperdir", self.upper.as_os_str())?;
        overlay.set("workdir", self.work.as_os_str())?;
        // Nothing above the layers outlives the container, so nothing has to reach the disk. Older kernels refuse it.
        let _ = overlay.flag("volatile");
        attach(&overlay.mount()?, &self.merged)
    }

    fn mount_by_string(&self, layers: &[PathBuf]) -> io::Result<()> {
        let here = std::env::current_dir()?;
        let parent = layers.first().and_then(|layer| layer.parent()).unwrap_or(Path::new("/"));
        std::env::set_current_dir(parent)?;
        let name = |layer: &PathBuf| layer.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lower: Vec<String> = layers.iter().rev().map(name).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.join(":"),
            self.upper.display(),
            self.work.display()
        );
        let mounted = nix::mount::mount(
            Some("overlay"),
            &self.merged,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        );
        std::env::set_current_dir(here)?;
        Ok(mounted?)
    }
}
