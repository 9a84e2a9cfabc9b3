//! kubectl as a user of one kubeconfig runs it: the machine's, or one that is built where
//! there is none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The module that kubectl is built from where the machine has none.
const MODULE: &str = "k8s.io/kubectl@v0.32.4";
/// kubectl has no main package in its own module; this is one.
const MAIN: &str = r#"package main

import (
	"os"

	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	if err := cmd.NewDefaultKubectlCommand().Execute(); err != nil {
		os.Exit(1)
	}
}
"#;

/// kubectl with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// With this kubeconfig.
    ///
    /// # Panics
    /// When there is no kubectl and none can be built.
    #[must_use]
    pub fn new(kubeconfig: &Path) -> Self {
        Self { program: program(), kubeconfig: kubeconfig.to_owned() }
    }

    /// Gives what it prints.
    ///
    /// # Errors
    /// With what it wrote to stderr, when it fails.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        self.with_input(args, "")
    }

    /// As [`Kubectl::run`], with something to read.
    ///
    /// # Errors
    /// With what it wrote to stderr, when it fails.
    pub fn with_input(&self, args: &[&str], input: &str) -> Result<String> {
        let output = self.output(args, input)?;
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() {
            bail!("kubectl {}: {told}", args.join(" "));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Whatever becomes of it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn output(&self, args: &[&str], input: &str) -> Result<Output> {
        use std::io::Write as _;
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().context("kubectl starts")?;
        // It may have ended without reading.
        let _ = child.stdin.take().context("piped")?.write_all(input.as_bytes());
        child.wait_with_output().context("kubectl ends")
    }

    /// Runs `kubectl … -o json` and parses what it prints.
    ///
    /// # Errors
    /// When it fails or prints no JSON.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let args = [args, &["-o", "json"]].concat();
        Ok(serde_json::from_str(&self.run(&args)?)?)
    }

    /// What it refuses with, on stderr.
    ///
    /// # Panics
    /// When it does not fail.
    #[must_use]
    pub fn refusal(&self, args: &[&str]) -> String {
        let output = self.output(args, "").expect("kubectl starts");
        assert!(!output.status.success(), "kubectl {} must fail", args.join(" "));
        String::from_utf8_lossy(&output.stderr).trim().to_owned()
    }

    /// The command, for who wants to hold it.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        // Its cache of discovery lies beside the kubeconfig, so that tests share nothing.
        command.env("KUBECACHEDIR", self.kubeconfig.with_extension("cache"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|file| file.exists());
    found.unwrap_or_else(build)
}

/// Builds it once, into Go's own folder of programs.
fn build() -> PathBuf {
    let home = std::env::var("HOME").expect("a home");
    let folder = std::env::var("GOBIN").map_or_else(|_| PathBuf::from(home).join("go/bin"), PathBuf::from);
    let program = folder.join("kubectl");
    if program.exists() {
        return program;
    }
    std::fs::create_dir_all(&folder).expect("a folder for programs");
    let source = tempfile::tempdir().expect("a folder for the source");
    std::fs::write(source.path().join("main.go"), MAIN).expect("a source");
    // Beside its place, and moved: two tests may build at once.
    let built = source.path().join("kubectl");
    for args in [
        &["mod", "init", "kubectl"][..],
        &["get", MODULE],
        &["build", "-ldflags", "-s -w", "-o", "kubectl", "."],
    ] {
        let go = Command::new("go").args(args).current_dir(source.path()).status();
        assert!(go.expect("go").success(), "go {}", args.join(" "));
    }
    let part = program.with_extension(std::process::id().to_string());
    std::fs::copy(built, &part).and_then(|_| std::fs::rename(&part, &program)).expect("kubectl is kept");
    program
}
