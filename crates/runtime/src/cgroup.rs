//! The cgroups of pods: made, killed, removed, asked about OOM kills; on v1 (and hybrid) and on v2.
//!
//! A path here is absolute below each hierarchy, as `/xebec/<node>/pod<uid>`. Containers' own cgroups below it are
//! libcontainer's to make; removing is ours, because it also has to work when everything else is gone.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::statfs::{FsType, statfs};
use nix::unistd::Pid;

use crate::Resources;
use crate::mount_api::Configuration;
use crate::shim::{cpu_quota_us, cpu_shares};

const ROOT: &str = "/sys/fs/cgroup";
const V1_MAGIC: FsType = FsType(0x0027_e0eb);
const V2_MAGIC: FsType = FsType(0x6367_7270);
/// How long the kernel may take to let go of a killed process.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How this host has its cgroups.
#[derive(Debug, Clone)]
pub(crate) enum Hierarchies {
    /// v2 alone.
    Unified(Hierarchy),
    /// v1: several, each with its controllers; a v2 hierarchy beside them is left alone.
    Legacy(Vec<Hierarchy>),
}

/// One tree of cgroups.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    /// Its controllers, where it is v1's.
    controllers: Vec<String>,
    root: PathBuf,
    /// Keeps a mount that is attached nowhere; the root leads through its descriptor.
    _mount: Option<Arc<OwnedFd>>,
}

impl Hierarchies {
    /// Looks at what is mounted. Where nothing is (`ip netns exec` hides it), mounts it for this process alone.
    pub(crate) fn detect() -> Hierarchies {
        // A host that has no cgroups, or none for us, runs pods without limits and says so.
        look(Path::new(ROOT)).or_else(|| detached().ok()).unwrap_or(Hierarchies::Legacy(Vec::new()))
    }

    /// The controllers that limits can be set with.
    pub(crate) fn controllers(&self) -> BTreeSet<String> {
        match self {
            Hierarchies::Unified(it) => {
                let text = fs::read_to_string(it.root.join("cgroup.controllers")).unwrap_or_default();
                text.split_whitespace().map(str::to_owned).collect()
            }
            Hierarchies::Legacy(all) => all.iter().flat_map(|it| it.controllers.clone()).collect(),
        }
    }

    /// True for v2 alone.
    pub(crate) fn unified(&self) -> bool {
        matches!(self, Hierarchies::Unified(_))
    }

    pub(crate) fn folders(&self, path: &str) -> Vec<PathBuf> {
        let below = path.trim_start_matches('/');
        match self {
            Hierarchies::Unified(it) => vec![it.root.join(below)],
            Hierarchies::Legacy(all) => all.iter().map(|it| it.root.join(below)).collect(),
        }
    }

    pub(crate) fn legacy_folder(&self, controller: &str, path: &str) -> Option<PathBuf> {
        let Hierarchies::Legacy(all) = self else { return None };
        let found = all.iter().find(|it| it.controllers.iter().any(|name| name == controller));
        found.map(|it| it.root.join(path.trim_start_matches('/')))
    }

    /// Makes a pod's cgroup with its limits. What the host does not permit is said, not failed.
    pub(crate) fn create(&self, path: &str, resources: &Resources) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut note = |what: String, done: io::Result<()>| {
            if let Err(error) = done {
                warnings.push(format!("{what}: {error}"));
            }
        };
        match self {
            Hierarchies::Unified(it) => {
                note("cgroup controllers".into(), enable_below(&it.root, path));
                let folder = &self.folders(path)[0];
                for (file, value) in unified_limits(resources) {
                    note(format!("cgroup {file}"), fs::write(folder.join(file), value));
                }
            }
            Hierarchies::Legacy(..) => {
                for (controller, file, value) in legacy_limits(resources) {
                    let written = match self.legacy_folder(controller, path) {
                        Some(folder) => {
                            fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(file), value))
                        }
                        None => Err(io::Error::other("the host has no such controller")),
                    };
                    note(format!("cgroup {file}"), written);
                }
            }
        }
        warnings
    }

    /// Kills every process in it and below.
    pub(crate) fn kill(&self, path: &str) {
        for folder in self.folders(path) {
            if fs::write(folder.join("cgroup.kill"), "1").is_err() {
                below(&folder).iter().for_each(|folder| kill_in(folder));
            }
        }
    }

    /// Kills what is in it and removes it with everything below. Not there is done.
    pub(crate) fn remove(&self, path: &str) -> io::Result<()> {
        let deadline = Instant::now() + REMOVE_TIMEOUT;
        for folder in self.folders(path) {
            while let Err(error) = remove_tree(&folder) {
                if Instant::now() > deadline {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", folder.display())));
                }
                self.kill(path);
                // Killed processes leave their cgroup within a few milliseconds; there is nothing to wait on.
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// How many processes of this cgroup the kernel has killed for its memory limit.
    pub(crate) fn oom_kills(&self, path: &str) -> u64 {
        let file = match self {
            Hierarchies::Unified(_) => self.folders(path)[0].join("memory.events"),
            Hierarchies::Legacy(..) => match self.legacy_folder("memory", path) {
                Some(folder) => folder.join("memory.oom_control"),
                None => return 0,
            },
        };
        field(&file, "oom_kill").unwrap_or(0)
    }
}

/// A number behind its name, in a cgroup's file of `name number` lines.
pub(crate) fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
}

fn look(root: &Path) -> Option<Hierarchies> {
    let is = |path: &Path, magic| statfs(path).is_ok_and(|found| found.filesystem_type() == magic);
    if is(root, V2_MAGIC) {
        let unified = Hierarchy { controllers: Vec::new(), root: root.to_owned(), _mount: None };
        return Some(Hierarchies::Unified(unified));
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(root).ok()?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        // `cpu` may be a link to `cpu,cpuacct`.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && is(&path, V1_MAGIC) {
            let controllers = name.to_string_lossy().split(',').map(str::to_owned).collect();
            found.push(Hierarchy { controllers, root: path, _mount: None });
        }
    }
    (!found.is_empty()).then_some(Hierarchies::Legacy(found))
}

/// The controllers of each v1 hierarchy, as this process is in them: `cpu,cpuacct`, `name=systemd`. Empty for v2 alone.
fn legacy_names() -> io::Result<Vec<String>> {
    // `5:cpu,cpuacct:/path`, `9:name=systemd:/path`, and `0::/path` for v2.
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let names = text.lines().filter_map(|line| line.split(':').nth(1));
    Ok(names.filter(|names| !names.is_empty()).map(str::to_owned).collect())
}

/// Mounts the host's hierarchies without attaching them anywhere: they go with this process.
fn detached() -> io::Result<Hierarchies> {
    let hierarchy = |mount: OwnedFd, controllers| {
        let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        Hierarchy { controllers, root, _mount: Some(Arc::new(mount)) }
    };
    let legacy = legacy_names()?;
    if legacy.is_empty() {
        let unified = Configuration::of(c"cgroup2")?.mount()?;
        return Ok(Hierarchies::Unified(hierarchy(unified, Vec::new())));
    }
    let mut all = Vec::new();
    for names in legacy.iter().filter(|names| !names.starts_with("name=")) {
        let controllers: Vec<String> = names.split(',').map(str::to_owned).collect();
        let configuration = Configuration::of(c"cgroup")?;
        controllers.iter().try_for_each(|controller| configuration.flag(controller))?;
        all.push(hierarchy(configuration.mount()?, controllers));
    }
    Ok(Hierarchies::Legacy(all))
}

/// Mounts the host's hierarchies where libcontainer looks for them, if they are not there. Only for a process in a mount
/// namespace of its own.
pub(crate) fn mount_missing() -> io::Result<()> {
    let root = Path::new(ROOT);
    if look(root).is_some() {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let legacy = legacy_names()?;
    if legacy.is_empty() {
        return Ok(mount(Some("cgroup2"), root, Some("cgroup2"), flags, None::<&str>)?);
    }
    mount(Some("tmpfs"), root, Some("tmpfs"), flags, Some("mode=755"))?;
    for names in legacy {
        let folder = root.join(names.trim_start_matches("name="));
        let data = if names.starts_with("name=") { format!("none,{names}") } else { names };
        fs::create_dir(&folder)?;
        mount(Some("cgroup"), &folder, Some("cgroup"), flags, Some(data.as_str()))?;
    }
    Ok(())
}

/// Makes each folder of the path and hands its controllers down.
fn enable_below(root: &Path, path: &str) -> io::Result<()> {
    let available = fs::read_to_string(root.join("cgroup.controllers"))?;
    let mut folder = root.to_owned();
    for part in Path::new(path.trim_start_matches('/')).components() {
        enable(&folder, &available);
        folder.push(part);
        fs::create_dir_all(&folder)?;
    }
    enable(&folder, &available);
    Ok(())
}

/// One by one, because one that is refused would keep the others off.
fn enable(folder: &Path, available: &str) {
    for controller in available.split_whitespace() {
        // A controller that the host keeps to itself is missing below; the limits that need it say so.
        let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

fn unified_limits(resources: &Resources) -> Vec<(&'static str, String)> {
    let mut limits = Vec::new();
    if let Some(millis) = resources.cpu_request_millis {
        // The mapping that runc and systemd use, from 2..262144 onto 1..10000.
        let weight = 1 + (cpu_shares(millis) - 2) * 9999 / 262_142;
        limits.push(("cpu.weight", weight.to_string()));
    }
    if let Some(millis) = resources.cpu_limit_millis {
        limits.push(("cpu.max", format!("{} 100000", cpu_quota_us(millis))));
    }
    if let Some(bytes) = resources.memory_limit_bytes {
        limits.push(("memory.max", bytes.to_string()));
    }
    if let Some(count) = resources.pids_limit {
        limits.push(("pids.max", count.to_string()));
    }
    limits
}

fn legacy_limits(resources: &Resources) -> Vec<(&'static str, &'static str, String)> {
    let mut limits = Vec::new();
    if let Some(millis) = resources.cpu_request_millis {
        limits.push(("cpu", "cpu.shares", cpu_shares(millis).to_string()));
    }
    if let Some(millis) = resources.cpu_limit_millis {
        limits.push(("cpu", "cpu.cfs_period_us", "100000".into()));
        limits.push(("cpu", "cpu.cfs_quota_us", cpu_quota_us(millis).to_string()));
    }
    if let Some(bytes) = resources.memory_limit_bytes {
        limits.push(("memory", "memory.limit_in_bytes", bytes.to_string()));
    }
    if let Some(count) = resources.pids_limit {
        limits.push(("pids", "pids.max", count.to_string()));
    }
    limits
}

/// A cgroup and those below it, deepest first.
fn below(folder: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(folder).contents_first(true).into_iter().flatten();
    walk.filter(|entry| entry.file_type().is_dir()).map(walkdir::DirEntry::into_path).collect()
}

fn kill_in(folder: &Path) {
    let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse().ok()) {
        // Gone already is what is wanted.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for path in below(folder) {
        match fs::remove_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
