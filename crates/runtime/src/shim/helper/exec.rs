//! Runs a command in a running container.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use serde_json::Value;

use super::causes::Causes;
use super::oci;
use super::program::{Identity, Program};
use super::start::{OOM_SCORE, explain};
use super::{Console, Started, Stdio, other, status_pipe, wait_for_program};
use crate::TerminalSize;
use crate::shim::paths::ContainerPaths;
use crate::shim::protocol::{Failure, ShimConfig};
use crate::shim::write_private;

/// What to run where.
pub(in crate::shim) struct ExecJob {
    pub(in crate::shim) container: String,
    /// Unique in this shim; names the command's files.
    pub(in crate::shim) serial: u64,
    pub(in crate::shim) command: Vec<String>,
    pub(in crate::shim) tty: bool,
    /// The terminal's first size.
    pub(in crate::shim) size: Option<TerminalSize>,
}

/// Runs it; returns once the program runs.
pub(in crate::shim) fn exec(config: &ShimConfig, job: &ExecJob, stdio: Stdio) -> Result<Started, Failure> {
    if job.command.is_empty() {
        return Err(Failure::Invalid("the command is empty".into()));
    }
    let paths = ContainerPaths::of(config, &job.container);
    let causes = Causes::collect().map_err(other("collecting causes"))?;
    be_as_likely_killed(&paths);
    let process = paths.bundle.join(format!("exec-{}.json", job.serial));
    let sockets = TenantSockets::share(paths.libcontainer.join(&job.container))
        .map_err(other("locking the folder of the container's sockets"))?;
    let ran = join(job, &paths, &process, stdio);
    // Files that stay go with the container.
    let _ = fs::remove_file(&process);
    sockets.leave();
    ran.map_err(|failure| match failure {
        Failure::Other(message) => Failure::Other(explain(message, &causes)),
        failure => failure,
    })
}

/// A command is no dearer than its container: else it would be as dear as the shim, and the container would be ended
/// for what the command takes.
fn be_as_likely_killed(paths: &ContainerPaths) {
    // Containers of earlier versions have no such file, and are as any other process.
    let score = fs::read_to_string(paths.bundle.join(OOM_SCORE)).unwrap_or_else(|_| "0".to_owned());
    // Where the host does not permit it, the container's start has said so.
    let _ = fs::write("/proc/self/oom_score_adj", score);
}

fn join(
    job: &ExecJob,
    paths: &ContainerPaths,
    process: &std::path::Path,
    stdio: Stdio,
) -> Result<Started, Failure> {
    let fail =
        |error: libcontainer::error::LibcontainerError| Failure::Other(format!("libcontainer: {error}"));
    let text = fs::read(paths.bundle.join("config.json")).map_err(other("reading the configuration"))?;
    let configuration: Value =
        serde_json::from_slice(&text).map_err(|error| Failure::Other(error.to_string()))?;
    let document = oci::exec_process(&configuration, &job.command, job.tty).to_string();
    write_private(process, document.as_bytes()).map_err(other("writing the process document"))?;
    let identity = Identity::from_configuration(&configuration).map_err(Failure::Other)?;
    let (status, reporter) = status_pipe()?;
    let console = match job.tty {
        true => Some(Console::listen(paths.bundle.join(format!("tty-{}.sock", job.serial)))?),
        false => None,
    };
    let mut builder = ContainerBuilder::new(job.container.clone(), SyscallType::Linux)
        .with_root_path(&paths.libcontainer)
        .map_err(fail)?
        .with_executor(Program { status: reporter.as_raw_fd(), identity: Some(identity), size: job.size })
        .with_console_socket(console.as_ref().map(|console| console.path.clone()));
    builder.stdin = stdio.stdin;
    builder.stdout = stdio.stdout;
    builder.stderr = stdio.stderr;
    let pid = builder
        .as_tenant()
        .with_process(Some(process))
        .with_detach(true)
        .as_sibling(true)
        .build()
        .map_err(fail)?;
    let terminal = console.map(Console::terminal).transpose()?;
    drop(reporter);
    wait_for_program(status, &job.command)?;
    Ok(Started { pid: pid.as_raw(), terminal, warnings: Vec::new() })
}

/// libcontainer leaves the sockets of its commands behind, under names that it does not tell.
/// So each command shares the folder until it runs, and one that finds no other clears it.
struct TenantSockets {
    folder: PathBuf,
    lock: File,
}

impl TenantSockets {
    fn share(folder: PathBuf) -> io::Result<Self> {
        let lock = File::open(&folder)?;
        lock.lock_shared()?;
        Ok(Self { folder, lock })
    }

    fn leave(self) {
        // A command's process may have the descriptor too: closing it here would be no end.
        // What fails leaves sockets, and those go with the container.
        if self.lock.unlock().is_err() || self.lock.try_lock().is_err() {
            return;
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("tenant-") {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = self.lock.unlock();
    }
}
