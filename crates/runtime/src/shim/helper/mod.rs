//! The shim's helpers: short-lived children that do what must not happen in the shim itself.
//!
//! libcontainer clones, allocates in its clones, and leaves its caller's working directory, dumpable flag and OOM score
//! changed. A helper lets it, sends what came of it, and exits. The processes that it made are the shim's children, by
//! `as_sibling`.
#![allow(unsafe_code, reason = "fork and _exit; the shim has one thread")]

mod capabilities;
mod causes;
mod exec;
pub(super) mod oci;
mod program;
mod seccomp;
mod start;
mod sub_path;
mod terminal;
mod user;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::AssertUnwindSafe;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::ForkResult;
use serde::{Deserialize, Serialize};

pub(super) use exec::{ExecJob, exec};
pub(super) use start::start;
pub(super) use terminal::set_size;

use terminal::Console;

use super::fdpass;
use super::protocol::Failure;

/// The container's end of its streams. With a terminal there are none: they come out as one descriptor.
pub(super) struct Stdio {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// What came of a helper's work.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The program runs.
    Started {
        /// Its process id.
        pid: i32,
        /// What had to be left out.
        warnings: Vec<String>,
    },
    /// It does not.
    Failed(Failure),
}

/// What a job made: the process, the terminal's master where it has one, warnings.
pub(super) struct Started {
    pub(super) pid: i32,
    pub(super) terminal: Option<OwnedFd>,
    pub(super) warnings: Vec<String>,
}

/// A helper at work.
pub(super) struct Helper {
    pub(super) pid: i32,
    /// Gives one [`Outcome`], with the terminal's descriptor where there is one, then its end.
    pub(super) channel: OwnedFd,
}

/// Runs `job` in a child.
pub(super) fn spawn(job: impl FnOnce() -> Result<Started, Failure>) -> io::Result<Helper> {
    let (near, far) = fdpass::pair()?;
    // SAFETY: the shim has one thread, so its child may do anything.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Helper { pid: child.as_raw(), channel: near }),
        ForkResult::Child => {
            drop(near);
            // A helper that cannot unblock its signals only ends later than it might.
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
            let result = std::panic::catch_unwind(AssertUnwindSafe(job))
                .unwrap_or_else(|_| Err(Failure::Other("the helper panicked".into())));
            let (outcome, terminal) = match result {
                Ok(Started { pid, terminal, warnings }) => (Outcome::Started { pid, warnings }, terminal),
                Err(failure) => (Outcome::Failed(failure), None),
            };
            let bytes = serde_json::to_vec(&outcome).unwrap_or_default();
            // A shim that is gone has nobody to tell.
            let _ = fdpass::send(far.as_raw_fd(), &bytes, terminal.as_ref().map(AsRawFd::as_raw_fd));
            // SAFETY: nothing of this copy of the shim must run any more, destructors least of all.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Names what was being done.
fn other(context: &str) -> impl Fn(io::Error) -> Failure + '_ {
    move |error| Failure::Other(format!("{context}: {error}"))
}

/// Waits until the program runs or has said why not.
fn wait_for_program(mut status: std::fs::File, command: &[String]) -> Result<(), Failure> {
    use std::io::Read;
    let mut report = Vec::new();
    status.read_to_end(&mut report).map_err(other("waiting for the program"))?;
    match report.split_first() {
        None => Ok(()),
        Some((code, message)) => Err(Failure::Start {
            command: command.first().cloned().unwrap_or_default(),
            message: String::from_utf8_lossy(message).into_owned(),
            exit_code: i32::from(*code),
        }),
    }
}

/// A pipe whose ends close on exec: the reading end, the writing end.
fn status_pipe() -> Result<(std::fs::File, OwnedFd), Failure> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)
        .map_err(|errno| Failure::Other(format!("making a pipe: {errno}")))?;
    Ok((read.into(), write))
}
