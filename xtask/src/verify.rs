//! One read-only command that says whether a change may land. Every check runs even
//! when an earlier one failed, so that one run shows everything there is to mend.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::{headers, layering, licences};

type Check = fn(&Metadata) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("format", |_| cargo(&["fmt", "--all", "--check"], &[])),
    ("file headers", headers::check),
    ("layering", layering::check),
    ("licences", licences::check),
    ("cargo-deny", |_| deny()),
    ("clippy", |_| {
        cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])
    }),
    ("docs", |_| cargo(&["doc", "--workspace", "--no-deps", "--locked"], &[("RUSTDOCFLAGS", "-D warnings")])),
];

/// Runs every check.
///
/// # Errors
/// Names the checks that failed.
pub(crate) fn run() -> Result<()> {
    let metadata = MetadataCommand::new().exec().context("cargo metadata")?;
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        let start = Instant::now();
        let outcome = check(&metadata);
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("verify: {name}: {verdict} ({:.1} s)", start.elapsed().as_secs_f32());
        if let Err(error) = outcome {
            println!("{error:#}");
            failed.push(*name);
        }
    }
    if !failed.is_empty() {
        bail!("verify failed: {}", failed.join(", "));
    }
    Ok(())
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let status = Command::new("cargo")
        .args(args)
        .envs(env.iter().copied())
        .status()
        .with_context(|| format!("cargo {}", args.join(" ")))?;
    if !status.success() {
        bail!("cargo {} says no", args.join(" "));
    }
    Ok(())
}

/// cargo-deny needs its advisory database from the network, so it runs where somebody
/// installed it; the licences are checked without it as well.
fn deny() -> Result<()> {
    let present = Command::new("cargo").args(["deny", "--version"]).output()?.status.success();
    if !present {
        println!("verify: cargo-deny is not installed here; licences are checked by `licences`");
        return Ok(());
    }
    cargo(&["deny", "check", "licenses", "bans", "sources"], &[])
}
