//! `cargo xtask bench`: builds the release binaries and hands over to `xebec-bench`,
//! which is a crate of its own so that `verify` need not wait for what it uses.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::MetadataCommand;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Builds, then measures; `args` go to the bench as they are.
///
/// # Errors
/// When the build or the bench fails.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let build = ["build", "--release", "--locked", "--package", "xebec", "--package", "xebec-bench"];
    run_to_end(Command::new("cargo").args(build))?;
    let target = MetadataCommand::new().no_deps().exec().context("cargo metadata")?.target_directory;
    let release = target.join(TRIPLE).join("release");
    run_to_end(Command::new(release.join("xebec-bench")).arg("--xebec").arg(release.join("xebec")).args(args))
}

fn run_to_end(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{}", command.get_program().display()))?;
    ensure!(status.success(), "{} failed", command.get_program().display());
    Ok(())
}
