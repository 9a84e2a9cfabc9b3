//! Starts a container: its root, its configuration, libcontainer, its program.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;

use super::causes::Causes;
use super::oci::{self, Parts};
use super::program::Program;
use super::{Console, Started, Stdio, capabilities, other, status_pipe, sub_path, user, wait_for_program};
use crate::cgroup::Hierarchies;
use crate::image::RootedDir;
use crate::shim::overlay::Root;
use crate::shim::paths::ContainerPaths;
use crate::shim::protocol::{Failure, ShimConfig, StartRequest};
use crate::shim::staging::Staging;
use crate::shim::write_private;
use crate::{Mount, MountSource, Resources};

/// The file of a bundle that says how likely the container is to be ended when memory is out.
pub(super) const OOM_SCORE: &str = "oom_score_adj";

/// Starts it; returns once its program runs.
pub(in crate::shim) fn start(
    config: &ShimConfig,
    request: &StartRequest,
    stdio: Stdio,
) -> Result<Started, Failure> {
    let paths = ContainerPaths::of(config, &request.spec.id);
    let command = oci::command(request);
    if command.is_empty() {
        return Err(Failure::Invalid("neither the pod nor the image names a command".into()));
    }
    let causes = Causes::collect().map_err(other("collecting causes"))?;
    let root = Root::below(&paths.work);
    root.mount(&request.layers).map_err(other("mounting the image"))?;
    let staging = Staging::at(&paths.staging);
    let staged = stage(&request.spec.mounts, &staging)?;
    let warnings = configure(config, request, &staged, &paths, &root.merged)?;
    fs::create_dir_all(&paths.libcontainer).map_err(other("making libcontainer's folder"))?;
    let built = run(request, &paths, stdio, &command);
    // The container has its own by now.
    staging.clear();
    match built {
        Ok((pid, terminal)) => Ok(Started { pid, terminal, warnings }),
        Err(Failure::Other(message)) => Err(Failure::Other(explain(message, &causes))),
        Err(failure) => Err(failure),
    }
}

/// The mounts as libcontainer takes them, by paths that nobody else can change.
fn stage(mounts: &[Mount], staging: &Staging) -> Result<Vec<Mount>, Failure> {
    let stage = |(number, mount): (usize, &Mount)| {
        let MountSource::Below { volume, path, written } = &mount.source else { return Ok(mount.clone()) };
        let found = sub_path::open(volume, path).map_err(|why| Failure::Invalid(why.about(written)))?;
        let place = staging.mount(number, &found).map_err(other("mounting a part of a volume"))?;
        Ok(Mount { source: MountSource::Bind(place), ..mount.clone() })
    };
    mounts.iter().enumerate().map(stage).collect()
}

/// An error of libcontainer's with its cause, which its own text has lost.
pub(super) fn explain(message: String, causes: &Causes) -> String {
    match causes.text() {
        text if text.is_empty() => message,
        text => format!("{text} ({message})"),
    }
}

/// Writes the bundle; returns what had to be left out.
fn configure(
    config: &ShimConfig,
    request: &StartRequest,
    mounts: &[Mount],
    paths: &ContainerPaths,
    merged: &Path,
) -> Result<Vec<String>, Failure> {
    let security = &request.spec.security;
    let hierarchies = Hierarchies::detect();
    let unified = hierarchies.unified();
    let root = RootedDir::open(merged).map_err(other("opening the image"))?;
    let user = user::resolve(&root, &request.process.user, security).map_err(Failure::Invalid)?;
    for mount in mounts {
        check_mount(mount)?;
    }
    let granted =
        capabilities::grant(security, capabilities::available(), !unified).map_err(Failure::Invalid)?;
    root.dir(Path::new(&oci::working_dir(request))).map_err(other("making the working directory"))?;
    let mut warnings = Vec::new();
    let resources = settable(&request.spec.resources, &hierarchies.controllers(), &mut warnings);
    let (user, granted) = (&user, &granted);
    let parts = Parts { config, request, mounts, root: merged, user, granted, unified, resources };
    fs::create_dir_all(&paths.bundle).map_err(other("making the bundle"))?;
    let bytes = oci::configuration(&parts).to_string();
    write_private(&paths.bundle.join("config.json"), bytes.as_bytes())
        .map_err(other("writing the bundle"))?;

    if !granted.missing.is_empty() && !security.privileged {
        warnings.push(format!("this host does not have the capabilities {}", granted.missing.join(", ")));
    }
    let score = request.spec.resources.oom_score_adj.unwrap_or(0).to_string();
    // For commands that are run in it later.
    fs::write(paths.bundle.join(OOM_SCORE), &score).map_err(other("writing the bundle"))?;
    // libcontainer would fail where the host does not permit it.
    if let Err(error) = fs::write("/proc/self/oom_score_adj", &score) {
        warnings.push(format!("oom_score_adj {score}: {error}"));
    }
    Ok(warnings)
}

/// The limits that this host has controllers for. libcontainer would fail on the others.
fn settable(wanted: &Resources, controllers: &BTreeSet<String>, warnings: &mut Vec<String>) -> Resources {
    let mut settable = wanted.clone();
    let mut without = |controller: &str, asked: bool| {
        let missing = !controllers.contains(controller);
        if missing && asked {
            warnings.push(format!("this host has no cgroup controller {controller}: limits are left out"));
        }
        missing
    };
    if without("cpu", wanted.cpu_request_millis.is_some() || wanted.cpu_limit_millis.is_some()) {
        (settable.cpu_request_millis, settable.cpu_limit_millis) = (None, None);
    } else {
        // Whoever asks for nothing gets the least, as the kubelet has it.
        settable.cpu_request_millis.get_or_insert(0);
    }
    if without("memory", wanted.memory_limit_bytes.is_some()) {
        settable.memory_limit_bytes = None;
    }
    if without("pids", wanted.pids_limit.is_some()) {
        settable.pids_limit = None;
    }
    settable
}

fn check_mount(mount: &Mount) -> Result<(), Failure> {
    let target = mount.target.display();
    if !mount.target.is_absolute() {
        return Err(Failure::Invalid(format!("the mount's target {target} is not an absolute path")));
    }
    match &mount.source {
        MountSource::Bind(source) if !source.exists() => {
            Err(Failure::Invalid(format!("the mount at {target}: {} is not there", source.display())))
        }
        _ => Ok(()),
    }
}

type Running = (i32, Option<std::os::fd::OwnedFd>);

fn run(
    request: &StartRequest,
    paths: &ContainerPaths,
    stdio: Stdio,
    command: &[String],
) -> Result<Running, Failure> {
    let fail =
        |error: libcontainer::error::LibcontainerError| Failure::Other(format!("libcontainer: {error}"));
    let (status, reporter) = status_pipe()?;
    let console = if request.spec.tty { Some(Console::listen(paths.bundle.join("tty.sock"))?) } else { None };
    let program = Program { status: reporter.as_raw_fd(), identity: None, size: None };
    let mut builder = ContainerBuilder::new(request.spec.id.clone(), SyscallType::Linux)
        .with_root_path(&paths.libcontainer)
        .map_err(fail)?
        .with_executor(program)
        .with_console_socket(console.as_ref().map(|console| console.path.clone()));
    builder.stdin = stdio.stdin;
    builder.stdout = stdio.stdout;
    builder.stderr = stdio.stderr;
    let mut container = builder
        .as_init(&paths.bundle)
        .with_systemd(false)
        .with_detach(true)
        .as_sibling(true)
        .build()
        .map_err(fail)?;
    let terminal = console.map(Console::terminal).transpose()?;
    container.start().map_err(fail)?;
    drop(reporter);
    wait_for_program(status, command)?;
    let pid = container.pid().ok_or_else(|| Failure::Other("libcontainer gave no process".into()))?;
    Ok((pid.as_raw(), terminal))
}
