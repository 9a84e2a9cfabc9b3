//! The last step inside the container: become the user's program.
//!
//! libcontainer's own executor checks the program before it is started and says nothing once it could not be. This one
//! reports through a pipe that closes by itself when the program runs. For an exec it also takes on the container's
//! identity, which libcontainer's tenant does without its seccomp profile: it comes here as root with every
//! capability, because a filter can only be loaded before the capabilities go.
#![allow(
    unsafe_code,
    reason = "signals, prctl and the pipe's raw descriptor, in a process about to be replaced"
)]

use std::ffi::CString;
use std::os::fd::RawFd;

use libcontainer::oci_spec::runtime::{LinuxCapabilities, LinuxSeccomp, Spec};
use libcontainer::syscall::syscall::create_syscall;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use serde_json::Value;

use super::terminal::set_size;
use crate::TerminalSize;

/// Becomes the program.
#[derive(Clone)]
pub(super) struct Program {
    /// Where a failure is written: the exit code's byte, then the message. It closes itself when the program runs.
    pub(super) status: RawFd,
    /// For an exec: the identity to take on.
    pub(super) identity: Option<Identity>,
    /// The size of its terminal, so that the program never sees one without.
    pub(super) size: Option<TerminalSize>,
}

/// The container's user and rights, as in its configuration.
#[derive(Clone)]
pub(super) struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    capabilities: LinuxCapabilities,
    seccomp: Option<LinuxSeccomp>,
    no_new_privileges: bool,
}

impl Executor for Program {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let args = spec.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
        let (code, message) = match self.become_program(&args) {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        let mut report = vec![code];
        report.extend_from_slice(message.as_bytes());
        // SAFETY: the pipe is open in this process and the buffer lives through the call; _exit runs nothing.
        unsafe {
            libc::write(self.status, report.as_ptr().cast(), report.len());
            libc::_exit(i32::from(code));
        }
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        Ok(())
    }
}

impl Program {
    fn become_program(&self, args: &[String]) -> Result<std::convert::Infallible, (u8, String)> {
        let words: Result<Vec<CString>, _> = args.iter().map(|word| CString::new(word.as_bytes())).collect();
        let words = words.map_err(|_| (126, "a word of the command has a zero byte".to_owned()))?;
        let program = words.first().ok_or_else(|| (126, "no command".to_owned()))?;
        reset_process().map_err(|errno| (126, errno.desc().to_owned()))?;
        if let Some(size) = self.size {
            set_size(libc::STDIN_FILENO, size);
        }
        if let Some(identity) = &self.identity {
            identity.take_on().map_err(|message| (126, message))?;
        }
        let Err(errno) = nix::unistd::execvp(program, &words);
        Err(match errno {
            nix::errno::Errno::ENOENT => (127, "no such file or directory".to_owned()),
            nix::errno::Errno::EACCES => (126, "permission denied".to_owned()),
            other => (126, other.desc().to_lowercase()),
        })
    }
}

/// A program expects no blocked or ignored signal and the usual umask. It dies with the shim, which owns its output.
fn reset_process() -> nix::Result<()> {
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    // SAFETY: setting the default action runs no code of ours.
    unsafe { nix::sys::signal::signal(Signal::SIGPIPE, nix::sys::signal::SigHandler::SigDfl)? };
    nix::sys::stat::umask(Mode::from_bits_truncate(0o022));
    // Ours go without huge pages, and that is inherited; a program decides for itself.
    nix::sys::prctl::set_thp_disable(false)?;
    // SAFETY: a prctl without pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    Ok(())
}

impl Identity {
    /// Reads it from a container's configuration.
    pub(super) fn from_configuration(configuration: &Value) -> Result<Identity, String> {
        let process = &configuration["process"];
        let number = |field: &str| process["user"][field].as_u64().unwrap_or(0) as u32;
        let groups = process["user"]["additionalGids"].as_array().into_iter().flatten();
        let fail = |error: serde_json::Error| error.to_string();
        let seccomp = configuration["linux"].get("seccomp").cloned();
        Ok(Identity {
            uid: number("uid"),
            gid: number("gid"),
            groups: groups.filter_map(Value::as_u64).map(|gid| gid as u32).collect(),
            capabilities: serde_json::from_value(process["capabilities"].clone()).map_err(fail)?,
            seccomp: seccomp.map(serde_json::from_value).transpose().map_err(fail)?,
            no_new_privileges: process["noNewPrivileges"].as_bool().unwrap_or(false),
        })
    }

    fn take_on(&self) -> Result<(), String> {
        let syscall = create_syscall();
        let groups: Vec<Gid> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        nix::unistd::setgroups(&groups).map_err(|errno| format!("groups: {errno}"))?;
        syscall
            .set_id(Uid::from_raw(self.uid), Gid::from_raw(self.gid))
            .map_err(|error| format!("user: {error}"))?;
        if self.no_new_privileges {
            // SAFETY: a prctl without pointers.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        }
        if let Some(profile) = &self.seccomp {
            libcontainer::seccomp::initialize_seccomp(profile)
                .map_err(|error| format!("seccomp: {error}"))?;
        }
        libcontainer::capabilities::drop_privileges(&self.capabilities, syscall.as_ref())
            .map_err(|error| format!("capabilities: {error}"))
    }
}
