//! The shim: one process per pod, the parent of its containers.
//!
//! It is this very executable, started as `xebec shim --dir FOLDER`, and it outlives the agent that starts it. It is
//! the sandbox (its namespaces are the pod's), it moves the containers' output into their logs, keeps their exit codes,
//! and answers on a socket in its folder. It has one thread, which never blocks for long: what could is a helper's.

mod attach;
mod command;
mod connection;
mod container;
mod fdpass;
pub(crate) mod frame;
mod handlers;
mod helper;
mod log;
mod overlay;
mod paths;
pub(crate) mod protocol;
mod reap;
mod sandbox;
mod seal;
mod server;
mod session;
mod staging;
mod stdin;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::unistd::ForkResult;

pub(crate) use helper::oci::{cpu_quota_us, cpu_shares};

use self::protocol::{CONFIG, IDENTITY, SOCKET, ShimConfig, ShimIdentity, VERSION};

/// What a shim tells the process that launched it, before its warnings.
const READY: &str = "ready\n";

/// Runs the hidden command `shim` with the arguments after that word; the process's exit code. Call it before anything
/// else: before threads, before a tokio runtime, before a logger. It returns in the first process once the sandbox is
/// there or could not be made, with what went wrong on stderr; the shim itself goes on in a child, and calls `when_quiet`
/// whenever it has had nothing to do for a while.
pub fn shim_main(args: impl Iterator<Item = OsString>, when_quiet: fn()) -> i32 {
    let args: Vec<OsString> = args.collect();
    let launched = match args.as_slice() {
        [flag, dir] if flag == "--dir" => {
            // It does not return unless it fails.
            let error = seal::run_sealed(dir);
            let warning = format!("this executable is not sealed against its containers: {error}");
            launch(Path::new(dir), vec![warning], when_quiet)
        }
        [flag, dir, sealed] if flag == "--dir" && sealed == seal::FLAG => {
            launch(Path::new(dir), Vec::new(), when_quiet)
        }
        _ => Err(io::Error::other("usage: shim --dir FOLDER (started by the node agent only)")),
    };
    let (text, code) = match launched {
        Ok(warnings) => (warnings, 0),
        Err(error) => (format!("{error}\n"), 1),
    };
    // There is no logger here; the agent reads it.
    let _ = write!(io::stderr(), "{text}");
    code
}

/// Forks the shim off and waits until it serves; returns its warnings, a line each.
#[allow(unsafe_code, reason = "fork, in a process with one thread")]
fn launch(dir: &Path, warnings: Vec<String>, when_quiet: fn()) -> io::Result<String> {
    let dir = fs::canonicalize(dir)?;
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: this process has one thread.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { .. } => {
            drop(write);
            let mut report = String::new();
            File::from(read).read_to_string(&mut report)?;
            match report.strip_prefix(READY) {
                Some(warnings) => Ok(warnings.to_owned()),
                None if report.is_empty() => Err(io::Error::other("the shim died while it started")),
                None => Err(io::Error::other(report)),
            }
        }
        ForkResult::Child => {
            drop(read);
            let code = i32::from(serve(&dir, write, warnings, when_quiet).is_err());
            std::process::exit(code)
        }
    }
}

/// Makes the sandbox, says so through `ready`, serves until it is shut down.
fn serve(dir: &Path, ready: OwnedFd, mut warnings: Vec<String>, when_quiet: fn()) -> io::Result<()> {
    let mut ready = File::from(ready);
    let prepared = prepare(dir, when_quiet);
    match prepared {
        Ok((server, more)) => {
            warnings.extend(more);
            let lines: String = warnings.iter().map(|warning| format!("{warning}\n")).collect();
            // An agent that is gone already finds the shim by its folder.
            let _ = ready.write_all(format!("{READY}{lines}").as_bytes());
            drop(ready);
            server.run()
        }
        Err(error) => {
            let _ = write!(ready, "{error}");
            Err(error)
        }
    }
}

fn prepare(dir: &Path, when_quiet: fn()) -> io::Result<(server::Server, Vec<String>)> {
    let mut warnings = sandbox::become_parent()?;
    detach_stdio()?;
    let config: ShimConfig = serde_json::from_slice(&fs::read(dir.join(CONFIG))?)?;
    warnings.extend(sandbox::enter(&config)?);
    // A relative name: the path may be longer than a socket's address can be.
    std::env::set_current_dir(dir)?;
    let listener = UnixListener::bind(SOCKET)?;
    let identity = ShimIdentity {
        pid: std::process::id() as i32,
        start_ticks: start_ticks(std::process::id() as i32).unwrap_or(0),
        boot_id: boot_id(),
        version: VERSION,
    };
    write_whole(&dir.join(IDENTITY), &serde_json::to_vec(&identity)?)?;
    Ok((server::Server::new(config, listener, when_quiet)?, warnings))
}

/// The agent's terminal or log must not be held open.
fn detach_stdio() -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for fd in 0..3 {
        nix::unistd::dup2(null.as_raw_fd(), fd)?;
    }
    Ok(())
}

/// When a process started, in the kernel's ticks; nothing where there is no such process or only its remains.
pub(crate) fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the 22nd field is the 20th after it.
    let (_, after) = stat.rsplit_once(") ")?;
    if after.starts_with(['Z', 'X']) {
        return None;
    }
    after.split(' ').nth(19)?.parse().ok()
}

/// Tells one boot of the host from another.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Writes a file that only root reads: containers' configurations have Secrets.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Replaces a file, which only root reads: a reader sees the old one or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = PathBuf::from(path).into_os_string();
    partial.push(".partial");
    write_private(Path::new(&partial), bytes)?;
    fs::rename(&partial, path)
}
