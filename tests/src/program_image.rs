//! An image of one of this machine's own programs, with the libraries that it needs and a
//! shell beside it, put into a node's store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs;

/// Packs a program as `xebec.local/NAME:1` and imports it into the node with this data folder.
///
/// # Errors
/// When the program or one of its libraries is not here, or the node does not take it.
pub fn import(name: &str, program: &Path, data_dir: &Path) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let root = dir.path().join("root");
    let busybox = [PathBuf::from("/bin/busybox")];
    for file in libraries(program)?.iter().chain(&busybox).map(PathBuf::as_path).chain([program]) {
        let inside = root.join(file.strip_prefix("/").context("an absolute path")?);
        fs::create_dir_all(inside.parent().context("a folder")?)?;
        fs::copy(file, &inside).with_context(|| file.display().to_string())?;
    }
    fs::create_dir_all(root.join("bin"))?;
    for applet in ["sh", "cat"] {
        std::os::unix::fs::symlink("/bin/busybox", root.join("bin").join(applet))?;
    }
    let archive = dir.path().join("image.tar");
    xebec(
        &["image", "pack"],
        &[&root],
        &["--name", &format!("xebec.local/{name}:1"), "--output"],
        &[&archive],
    )?;
    xebec(&["image", "import"], &[&archive], &["--data-dir"], &[data_dir])
}

fn xebec(head: &[&str], first: &[&Path], middle: &[&str], last: &[&Path]) -> Result<()> {
    let mut command = Command::new(programs::xebec());
    let output = command.args(head).args(first).args(middle).args(last).output().context("xebec starts")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What `ldd` names, the loader among it.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("ldd")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
