//! Every Rust file opens with `//!` and stays within a length that fits one concept.

use std::fs;

use anyhow::{Result, bail};
use cargo_metadata::Metadata;
use walkdir::WalkDir;

/// Lines a file may have; the aim is 400.
const MOST_LINES: usize = 800;

/// Checks every file of the workspace's packages.
///
/// # Errors
/// Names each file that breaks the rule.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        let files = WalkDir::new(folder).into_iter().filter_entry(|e| e.file_name() != "target");
        for file in files.filter_map(Result::ok).filter(|e| e.path().extension().is_some_and(|x| x == "rs")) {
            let text = fs::read_to_string(file.path())?;
            let shown = file.path().strip_prefix(&metadata.workspace_root).unwrap_or(file.path()).display();
            if !text.starts_with("//!") {
                broken.push(format!("{shown}: open it with `//!`: what the file is for"));
            }
            let lines = text.lines().count();
            if lines > MOST_LINES {
                broken.push(format!("{shown}: {lines} lines, more than {MOST_LINES}: one concept per file"));
            }
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    broken.sort();
    broken.dedup();
    bail!("{}", broken.join("\n"))
}
