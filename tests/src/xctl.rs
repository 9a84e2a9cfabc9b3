//! `xctl` as a user of one kubeconfig runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::programs;

/// The client with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Xctl {
    kubeconfig: PathBuf,
}

impl Xctl {
    /// With this kubeconfig, which need not be there yet.
    #[must_use]
    pub fn new(kubeconfig: &Path) -> Self {
        Self { kubeconfig: kubeconfig.to_owned() }
    }

    /// Gives what it prints.
    ///
    /// # Errors
    /// With what it wrote to stderr, when it fails.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.output(args)?;
        if !output.status.success() {
            bail!("xctl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Whatever becomes of it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn output(&self, args: &[&str]) -> Result<Output> {
        self.command(args).output().context("xctl starts")
    }

    /// The command itself, for who wants its streams.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = programs::xctl();
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        command
    }

    /// Runs `xctl … -o json` and parses what it prints.
    ///
    /// # Errors
    /// When it fails or prints no JSON.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let args = [args, &["-o", "json"]].concat();
        Ok(serde_json::from_str(&self.run(&args)?)?)
    }

    /// What it refuses with: its last line on stderr.
    ///
    /// # Panics
    /// When it does not fail.
    #[must_use]
    pub fn refusal(&self, args: &[&str]) -> String {
        let output = self.output(args).expect("xctl starts");
        assert!(!output.status.success(), "xctl {} must fail", args.join(" "));
        String::from_utf8_lossy(&output.stderr).trim().to_owned()
    }
}
