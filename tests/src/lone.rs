//! One master of a given binary that can be watched from its first system call on and
//! killed at any moment: nothing is waited for.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::machine::Machine;
use crate::xctl::Xctl;

/// Its folder and what runs in it. Dropping it ends it.
pub struct Lone {
    binary: PathBuf,
    address: String,
    dir: TempDir,
    child: Option<Child>,
    _machine: Machine,
}

impl Lone {
    /// An empty folder for a master on this loopback address.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(binary: &Path, address: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        let config = format!(
            "name = \"m1\"\nbootstrap = true\ndata_dir = {:?}\nadmin_kubeconfig = {:?}\n\
             client_address = \"{address}:6443\"\npeer_address = \"{address}:6444\"\n",
            path("data"),
            path("admin.kubeconfig"),
        );
        fs::write(path("master.toml"), config).expect("a configuration");
        let _machine = Machine::shared();
        Self { binary: binary.to_owned(), address: address.to_owned(), dir, child: None, _machine }
    }

    /// Starts it, under `strace` with these arguments unless there are none.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&mut self, strace: &[&str]) {
        let mut command = if strace.is_empty() {
            Command::new(&self.binary)
        } else {
            let mut command = Command::new("strace");
            command.args(strace).arg("-o").arg(self.trace_path()).arg(&self.binary);
            command
        };
        let log = File::options().create(true).append(true).open(self.dir.path().join("log"));
        command.args(["master", "--config"]).arg(self.dir.path().join("master.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.expect("a log"));
        self.child = Some(command.spawn().expect("it starts (packages: strace)"));
    }

    /// Ends it with no chance to say goodbye.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        // Under strace it is strace's child, and survives it.
        let below = format!("/proc/{0}/task/{0}/children", child.id());
        for pid in fs::read_to_string(below).unwrap_or_default().split_whitespace() {
            let pid = nix::unistd::Pid::from_raw(pid.parse().expect("a pid"));
            // It may have ended by itself.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        // strace ends with what it traces; else this is the master itself.
        let _ = child.kill();
        child.wait().expect("it is gone");
    }

    /// What `strace` has seen so far.
    #[must_use]
    pub fn trace(&self) -> String {
        fs::read_to_string(self.trace_path()).unwrap_or_default()
    }

    /// The client with its admin's kubeconfig.
    #[must_use]
    pub fn xctl(&self) -> Xctl {
        Xctl::new(&self.dir.path().join("admin.kubeconfig"))
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The loopback address that it answers at.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    fn trace_path(&self) -> PathBuf {
        self.dir.path().join("trace")
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
