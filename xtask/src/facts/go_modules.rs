//! Go modules by Go's own client, which checks their sums and keeps them in its cache.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The folder of a module, downloaded unless it is there.
///
/// # Errors
/// With what Go says.
pub(crate) fn download(module: &str, version: &str) -> Result<PathBuf> {
    let wanted = format!("{module}@{version}");
    let mut go = Command::new("go");
    // Outside of any module, so that nothing of it is resolved.
    go.args(["mod", "download", "-json", &wanted]).current_dir(std::env::temp_dir());
    let output = go.output().context("go, which fetches modules (package golang-go)")?;
    let told: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("go mod download {wanted}: {}", String::from_utf8_lossy(&output.stderr)))?;
    match (told["Dir"].as_str(), told["Error"].as_str()) {
        (Some(dir), None) => Ok(PathBuf::from(dir)),
        (_, why) => bail!("go mod download {wanted}: {}", why.unwrap_or("no folder")),
    }
}
