//! A node in a folder of its own: its runtime, its images, and the check that nothing is left of it.

use std::fs;
use std::future::Future;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use xebec_runtime::image::{PackOptions, ProcessConfig, pack};
use xebec_runtime::{
    ContainerPhase, ContainerSpec, ContainerState, NodeNetwork, NodeRuntime, Runtime, RuntimeConfig,
    SandboxSpec,
};

/// How long anything may take here.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs a case on a runtime as the agent has one.
pub(crate) fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime");
    runtime.block_on(async { tokio::time::timeout(LIMIT * 3, case).await.expect("a case ends") });
}

pub(crate) struct World {
    pub(crate) node: NodeRuntime,
    pub(crate) dir: PathBuf,
    /// Removes the folder at the end.
    _dir: Option<TempDir>,
}

impl World {
    /// A new node with the image `busybox`.
    pub(crate) async fn new() -> World {
        let dir = tempfile::Builder::new().prefix("xbrt").tempdir_in("/var/tmp").expect("a folder");
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("bin")).expect("mkdir");
        fs::create_dir_all(root.join("etc")).expect("mkdir");
        fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n")
            .expect("writes");
        fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
        for tool in [
            "sh", "sleep", "cat", "id", "ip", "wget", "httpd", "hostname", "grep", "ls", "true", "mount",
            "stty", "head",
        ] {
            symlink("busybox", root.join("bin").join(tool)).expect("symlink");
        }
        let options = PackOptions {
            dir: root,
            name: "busybox".into(),
            process: ProcessConfig { cmd: Some(vec!["sh".into()]), ..Default::default() },
        };
        let archive = dir.path().join("busybox.tar");
        pack(&options, &archive).expect("packs");
        let mut world = World::open(dir.path()).await;
        world.node.images().import(&archive, None).expect("imports");
        world._dir = Some(dir);
        world
    }

    /// The node in this folder, as a restarted agent finds it.
    pub(crate) async fn open(dir: &Path) -> World {
        let name = dir.file_name().expect("a name").to_string_lossy();
        let node = NodeRuntime::open(RuntimeConfig {
            data_dir: dir.join("data"),
            run_dir: dir.join("run"),
            cgroup_root: format!("/xebec-test/{name}"),
            system_version: None,
        });
        let node = node.await.expect("opens");
        let network = NodeNetwork { pod_cidrs: vec!["10.77.1.0/24".into()], peers: Vec::new() };
        node.set_network(network).await.expect("sets the network");
        World { node, dir: dir.to_owned(), _dir: None }
    }

    pub(crate) fn sandbox(&self, uid: &str) -> SandboxSpec {
        SandboxSpec {
            pod_uid: uid.into(),
            namespace: "default".into(),
            name: uid.into(),
            hostname: format!("host-{uid}"),
            resolv_conf: Some("nameserver 10.43.0.10\n".into()),
            log_dir: self.dir.join("logs"),
            ..SandboxSpec::default()
        }
    }

    /// A container that runs this line in a shell.
    pub(crate) fn container(&self, id: &str, script: &str) -> ContainerSpec {
        ContainerSpec {
            id: id.into(),
            image: "busybox".into(),
            command: vec!["sh".into(), "-c".into(), script.into()],
            log_path: self.log_path(id),
            ..ContainerSpec::default()
        }
    }

    fn log_path(&self, id: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{id}.log"))
    }

    /// What a container wrote, without the times.
    pub(crate) fn log(&self, id: &str) -> String {
        let text = fs::read_to_string(self.log_path(id)).unwrap_or_default();
        text.lines().map(|line| format!("{}\n", line.split_once(' ').expect("a time").1)).collect()
    }

    pub(crate) async fn state(&self, uid: &str, id: &str) -> Option<ContainerState> {
        let list = self.node.list().await.expect("lists");
        let sandbox = list.into_iter().find(|sandbox| sandbox.pod_uid == uid)?;
        sandbox.containers.into_iter().find(|container| container.id == id)
    }

    /// Waits for a container's end: code, signal, killed for memory.
    pub(crate) async fn ended(&self, uid: &str, id: &str) -> (i32, Option<i32>, bool) {
        let found = eventually(async || match self.state(uid, id).await?.phase {
            ContainerPhase::Exited { code, signal, oom_killed, .. } => Some((code, signal, oom_killed)),
            ContainerPhase::Running => None,
        });
        found.await
    }

    /// Runs a line in a container: exit code and output.
    pub(crate) async fn exec(&self, uid: &str, id: &str, script: &str) -> (i32, String) {
        let command = vec!["sh".into(), "-c".into(), script.into()];
        let outcome = self.node.exec_sync(uid, id, command, LIMIT).await.expect("runs");
        (outcome.exit_code, String::from_utf8_lossy(&outcome.output).into_owned())
    }

    /// What is left of the node's pods anywhere: empty when all is well.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let name = self.dir.file_name().expect("a name").to_string_lossy().into_owned();
        let mut found = Vec::new();
        for process in fs::read_dir("/proc").expect("reads").flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&name) && line.contains("shim") {
                found.push(format!("process {line}"));
            }
        }
        let mounts = fs::read_to_string("/proc/self/mounts").expect("reads");
        found.extend(mounts.lines().filter(|line| line.contains(&name)).map(|line| format!("mount {line}")));
        found.extend(
            pod_cgroups()
                .into_iter()
                .filter(|path| path.to_string_lossy().contains(&name))
                .map(|path| format!("cgroup {}", path.display())),
        );
        let links = fs::read_to_string("/proc/net/dev").expect("reads");
        found.extend(links.lines().filter(|line| line.contains("xbc")).map(|line| format!("link {line}")));
        for dir in ["run", "data/pods", "data/images/leases"] {
            let entries = fs::read_dir(self.dir.join(dir)).expect("reads").flatten();
            found.extend(entries.map(|entry| format!("file {}", entry.path().display())));
        }
        found
    }
}

impl World {
    /// A case that failed must not leave its pods running. Their containers die with them.
    fn kill_shims(&self) {
        for process in fs::read_dir("/proc").expect("reads").flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            let run = self.dir.join("run");
            if let Ok(pid) = process.file_name().to_string_lossy().parse()
                && String::from_utf8_lossy(&line).contains(&*run.to_string_lossy())
            {
                // It may be gone already.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        for hierarchy in hierarchies() {
            let node = hierarchy.join("xebec-test").join(self.dir.file_name().expect("a name"));
            let folders = walkdir::WalkDir::new(node).contents_first(true).into_iter().flatten();
            for folder in folders.filter(|entry| entry.file_type().is_dir()) {
                let _ = fs::remove_dir(folder.path());
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(dir) = &self._dir else { return };
        let name = dir.path().file_name().expect("a name").to_owned();
        if std::thread::panicking() {
            self.kill_shims();
        }
        for hierarchy in hierarchies() {
            // The node's own cgroup outlives its pods; a test's goes with the test.
            let _ = fs::remove_dir(hierarchy.join("xebec-test").join(&name));
            let _ = fs::remove_dir(hierarchy.join("xebec-test"));
        }
    }
}

/// Where cgroups may be: the v2 hierarchy, or the v1 hierarchies beside one another.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let below = fs::read_dir(&root).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = below.filter(|path| path.join("cgroup.procs").exists()).collect();
    all.push(root);
    all
}

/// Removes the cgroups of nodes whose own test could not see them.
pub(crate) fn remove_empty_cgroups() {
    for root in hierarchies() {
        for node in fs::read_dir(root.join("xebec-test")).into_iter().flatten().flatten() {
            // Files, and nodes that have pods, stay.
            let _ = fs::remove_dir(node.path());
        }
        let _ = fs::remove_dir(root.join("xebec-test"));
    }
}

/// The cgroups of pods of any test.
pub(crate) fn pod_cgroups() -> Vec<PathBuf> {
    let nodes = hierarchies()
        .into_iter()
        .flat_map(|root| fs::read_dir(root.join("xebec-test")).into_iter().flatten());
    let pods = nodes.flatten().flat_map(|node| fs::read_dir(node.path()).into_iter().flatten()).flatten();
    pods.map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pod")))
        .collect()
}

/// Asks until there is an answer, for as long as anything may take.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < LIMIT, "it did not happen in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
