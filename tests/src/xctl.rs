//! `xctl` as a user of one kubeconfig runs it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::programs;

/// An `xctl get -w` that somebody looks at. Dropping it ends it.
pub struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    /// What it has shown so far, a row each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has shown since it had shown so many rows.
    #[must_use]
    pub fn since(&self, rows: usize) -> Vec<String> {
        self.lines().split_off(rows)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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

    /// Runs `xctl … -w` beside everything else.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn watch(&self, args: &[&str]) -> Watch {
        let mut command = self.command(&[args, &["-w"]].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("xctl starts");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stdout, seen) = (child.stdout.take().expect("it is piped"), Arc::clone(&lines));
        // Ends with the child.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Watch { child, lines }
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
