//! The real runtime: sandboxes as shims, images from the store, addresses from the node's range.
//!
//! What runs is the shims' to know; this process only remembers what they told it. Everything it needs to find them
//! again is in their folders, so that it can be killed at any moment. Calls about one pod are done one after another.

mod client;
mod connect;
mod exec;
mod failure;
mod launch;
mod sandboxes;
mod teardown;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::client::ShimClient;
use self::sandboxes::Entry;
use crate::cgroup::Hierarchies;
use crate::image::{Store, private_dir};
use crate::network::PodNetwork;
use crate::shim::protocol::{Request, Response};
use crate::{
    ContainerSpec, ExecHandle, ExecOptions, ImageInfo, NodeNetwork, Runtime, RuntimeError, RuntimeEvent,
    Sandbox, SandboxSpec, disk_usage,
};

/// Where a node keeps what it runs.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Images and writable layers; on a disk that overlayfs can write to.
    pub data_dir: PathBuf,
    /// The shims' folders. It may be emptied when the host boots, and only then.
    pub run_dir: PathBuf,
    /// The cgroup of all this node's pods, absolute below each hierarchy: `/xebec/<node>`.
    pub cgroup_root: String,
    /// Where it is set, this executable is made into the system image of that version.
    pub system_version: Option<String>,
}

/// The real [`Runtime`]. Clones are the same runtime.
#[derive(Clone)]
pub struct NodeRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    config: RuntimeConfig,
    store: Store,
    network: PodNetwork,
    hierarchies: Hierarchies,
    sandboxes: Mutex<BTreeMap<String, Entry>>,
    /// Serialises the calls about each pod.
    locks: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Warnings that were logged already.
    warned: Mutex<BTreeSet<String>>,
    events: broadcast::Sender<RuntimeEvent>,
    /// Bounds the connections into pods that are being made.
    connecting: Semaphore,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl NodeRuntime {
    /// Opens a node's folders and finds its sandboxes again. Needs root.
    pub async fn open(config: RuntimeConfig) -> Result<NodeRuntime, RuntimeError> {
        check_cgroup(&config.cgroup_root)?;
        for dir in [config.data_dir.join("pods"), config.run_dir.clone()] {
            private_dir(&dir)
                .map_err(|error| RuntimeError::io(format!("making {}", dir.display()), error))?;
        }
        let config = RuntimeConfig {
            data_dir: absolute(&config.data_dir)?,
            run_dir: absolute(&config.run_dir)?,
            ..config
        };
        let store = Store::open(&config.data_dir)?;
        if let Some(version) = config.system_version.clone() {
            let store = store.clone();
            blocking(move || store.add_system_image(Path::new("/proc/self/exe"), &version)).await?;
        }
        let runtime = NodeRuntime {
            inner: Arc::new(Inner {
                network: PodNetwork::open(&config.data_dir)?,
                config,
                store,
                hierarchies: Hierarchies::detect(),
                sandboxes: Mutex::default(),
                locks: Mutex::default(),
                warned: Mutex::default(),
                events: broadcast::channel(256).0,
                connecting: Semaphore::new(connect::CONNECTING),
                stop: CancellationToken::new(),
                tasks: TaskTracker::new(),
            }),
        };
        runtime.adopt().await?;
        Ok(runtime)
    }

    /// The node's images, for importing more of them.
    pub fn images(&self) -> &Store {
        &self.inner.store
    }

    /// Stops watching. Pods go on; the next runtime finds them.
    pub async fn close(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Removes every sandbox and the node's own cgroup: for a node that is taken down for good.
    pub async fn remove_all(&self) -> Result<(), RuntimeError> {
        let uids: Vec<String> = self.sandboxes().keys().cloned().collect();
        for uid in uids {
            self.remove_sandbox(&uid).await?;
        }
        let (hierarchies, root) = (self.inner.hierarchies.clone(), self.inner.config.cgroup_root.clone());
        blocking(move || {
            hierarchies.remove(&root).map_err(|error| RuntimeError::io("removing the node's cgroup", error))
        })
        .await
    }

    fn run_dir(&self, pod_uid: &str) -> PathBuf {
        self.inner.config.run_dir.join(pod_uid)
    }

    fn work_dir(&self, pod_uid: &str) -> PathBuf {
        self.inner.config.data_dir.join("pods").join(pod_uid)
    }

    fn cgroup(&self, pod_uid: &str) -> String {
        format!("{}/pod{pod_uid}", self.inner.config.cgroup_root)
    }

    fn client(&self, pod_uid: &str) -> ShimClient {
        ShimClient::new(pod_uid, &self.run_dir(pod_uid))
    }

    fn hint(&self, pod_uid: &str) {
        // Nobody listening is fine: a hint is only a hint.
        let _ = self.inner.events.send(RuntimeEvent { pod_uid: pod_uid.to_owned() });
    }

    fn sandboxes(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.inner.sandboxes.lock().expect("no holder of this lock panics")
    }

    /// Logs each warning the first time it comes.
    fn warn(&self, warnings: Vec<String>) {
        let mut warned = self.inner.warned.lock().expect("no holder of this lock panics");
        for warning in warnings {
            if warned.len() < 1000 && warned.insert(warning.clone()) {
                tracing::warn!(warning, "this host does not permit everything that was asked for");
            }
        }
    }

    /// Whoever holds it is alone with the pod.
    async fn lock(&self, pod_uid: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.inner.locks.lock().expect("no holder of this lock panics");
            locks.retain(|uid, lock| uid == pod_uid || Arc::strong_count(lock) > 1);
            locks.entry(pod_uid.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }

    /// Asks the shim, and takes its containers as they are after that.
    async fn ask(&self, pod_uid: &str, request: Request) -> Result<(), RuntimeError> {
        let mut channel = self.client(pod_uid).connect().await?;
        let answered = channel.call(&request).await;
        if let Ok(Response::State { revision, containers }) = channel.call(&Request::State).await {
            self.update(pod_uid, revision, containers);
        }
        match answered? {
            Response::Done { warnings } => {
                self.warn(warnings);
                Ok(())
            }
            other => Err(channel.unexpected(&other)),
        }
    }
}

#[async_trait::async_trait]
impl Runtime for NodeRuntime {
    async fn run_sandbox(&self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        check_file_name("pod uid", &spec.pod_uid)?;
        let _lock = self.lock(&spec.pod_uid).await;
        match self.sandbox(&spec.pod_uid) {
            Some(sandbox) if sandbox.alive => return Ok(sandbox),
            Some(_) => self.tear_down(&spec.pod_uid).await?,
            None => {}
        }
        let uid = spec.pod_uid.clone();
        let launched = self.launch(spec).await;
        if launched.is_err() {
            // The error says what went wrong; what is left of it is removed again with the pod.
            let _ = self.tear_down(&uid).await;
        }
        launched
    }

    async fn stop_sandbox(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        check_file_name("pod uid", pod_uid)?;
        let _lock = self.lock(pod_uid).await;
        match self.sandbox(pod_uid) {
            Some(sandbox) if !sandbox.stopped => self.halt(pod_uid).await,
            _ => Ok(()),
        }
    }

    async fn remove_sandbox(&self, pod_uid: &str) -> Result<(), RuntimeError> {
        check_file_name("pod uid", pod_uid)?;
        let _lock = self.lock(pod_uid).await;
        self.tear_down(pod_uid).await
    }

    async fn start_container(&self, pod_uid: &str, spec: ContainerSpec) -> Result<(), RuntimeError> {
        check_file_name("container id", &spec.id)?;
        self.start(pod_uid, spec).await
    }

    async fn signal_container(&self, pod_uid: &str, id: &str, signal: i32) -> Result<(), RuntimeError> {
        self.require(pod_uid)?;
        let asked = self.ask(pod_uid, Request::Signal { id: id.to_owned(), signal }).await;
        asked.map_err(|error| error.about(id))
    }

    async fn remove_container(&self, pod_uid: &str, id: &str) -> Result<(), RuntimeError> {
        check_file_name("container id", id)?;
        self.remove(pod_uid, id).await
    }

    async fn exec(
        &self,
        pod_uid: &str,
        id: &str,
        command: Vec<String>,
        options: ExecOptions,
    ) -> Result<ExecHandle, RuntimeError> {
        self.require(pod_uid)?;
        self.run_command(pod_uid, id, command, options).await
    }

    async fn attach(&self, pod_uid: &str, id: &str, stdin: bool) -> Result<ExecHandle, RuntimeError> {
        self.require(pod_uid)?;
        self.join_streams(pod_uid, id, stdin).await
    }

    async fn connect(&self, pod_uid: &str, port: u16) -> Result<TcpStream, RuntimeError> {
        self.require(pod_uid)?;
        self.connect_inside(pod_uid, port).await
    }

    async fn list(&self) -> Result<Vec<Sandbox>, RuntimeError> {
        Ok(self.sandboxes().values().map(|entry| entry.sandbox.clone()).collect())
    }

    fn events(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.inner.events.subscribe()
    }

    async fn set_network(&self, network: NodeNetwork) -> Result<(), RuntimeError> {
        self.inner.network.set(&network).await
    }

    async fn image_status(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        let (store, name) = (self.inner.store.clone(), image.to_owned());
        let found = blocking(move || store.find(&name)).await?;
        Ok(found.map(|found| ImageInfo {
            names: vec![image.to_owned()],
            digest: found.digest.to_string(),
            size_bytes: found.size_bytes,
        }))
    }

    async fn list_images(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        let store = self.inner.store.clone();
        blocking(move || store.ls()).await
    }

    async fn usage(&self) -> Result<Vec<crate::ContainerUsage>, RuntimeError> {
        let sandboxes = self.list().await?;
        let hierarchies = self.inner.hierarchies.clone();
        let runtime = self.clone();
        blocking(move || {
            let all =
                sandboxes.iter().flat_map(|sandbox| sandbox.containers.iter().map(move |it| (sandbox, it)));
            let running = all.filter(|(_, it)| it.phase == crate::ContainerPhase::Running);
            let usage = running.filter_map(|(sandbox, container)| {
                let path = format!("{}/{}", runtime.cgroup(&sandbox.pod_uid), container.id);
                let (pod_uid, id) = (sandbox.pod_uid.clone(), container.id.clone());
                Some(crate::ContainerUsage { pod_uid, id, usage: hierarchies.usage(&path)? })
            });
            Ok(usage.collect())
        })
        .await
    }

    async fn pod_usage(&self) -> Result<Vec<crate::PodUsage>, RuntimeError> {
        let sandboxes = self.list().await?;
        let (hierarchies, runtime) = (self.inner.hierarchies.clone(), self.clone());
        blocking(move || {
            let usage = sandboxes.iter().filter(|sandbox| sandbox.alive).filter_map(|sandbox| {
                let path = runtime.cgroup(&sandbox.pod_uid);
                let working_set_bytes = hierarchies.usage(&path)?.working_set_bytes;
                let processes = hierarchies.processes(&path).unwrap_or_default();
                Some(crate::PodUsage { pod_uid: sandbox.pod_uid.clone(), working_set_bytes, processes })
            });
            Ok(usage.collect())
        })
        .await
    }

    async fn layer_usage(&self) -> Result<Vec<crate::LayerUsage>, RuntimeError> {
        let sandboxes = self.list().await?;
        let runtime = self.clone();
        blocking(move || {
            let all =
                sandboxes.iter().flat_map(|sandbox| sandbox.containers.iter().map(move |it| (sandbox, it)));
            let usage = all.map(|(sandbox, container)| {
                let disk = disk_usage(&runtime.work_dir(&sandbox.pod_uid).join(&container.id));
                crate::LayerUsage { pod_uid: sandbox.pod_uid.clone(), id: container.id.clone(), disk }
            });
            Ok(usage.collect())
        })
        .await
    }

    async fn reclaim_images(&self) -> Result<bool, RuntimeError> {
        let store = self.inner.store.clone();
        blocking(move || store.reclaim()).await
    }
}

/// Ids become file names: letters, digits, `-`, `_` and `.`, at most 128, not beginning with a dot.
fn check_file_name(what: &str, id: &str) -> Result<(), RuntimeError> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=128).contains(&id.len()) && id.bytes().all(valid) && !id.starts_with('.') {
        return Ok(());
    }
    Err(RuntimeError::Invalid(format!(
        "{what} {id:?} must be letters, digits, '-', '_' and '.', at most 128"
    )))
}

/// Whose lease of an image it is. No id has a `+`, so one pod's owners never begin like another's.
fn lease_owner(pod_uid: &str, id: &str) -> String {
    format!("{pod_uid}+{id}")
}

/// Everything in this cgroup is ours to kill, so it must not be the host's own.
fn check_cgroup(root: &str) -> Result<(), RuntimeError> {
    let parts: Vec<&str> = root.split('/').collect();
    let valid = parts.len() >= 2 && parts[0].is_empty();
    if !valid || parts[1..].iter().any(|part| check_file_name("cgroup", part).is_err()) {
        return Err(RuntimeError::Invalid(format!(
            "cgroup root {root:?} must be a path such as /xebec/node1"
        )));
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf, RuntimeError> {
    std::fs::canonicalize(path)
        .map_err(|error| RuntimeError::io(format!("resolving {}", path.display()), error))
}

/// Does what waits for the disk away from the tasks that must not wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(RuntimeError::io("a blocking task", std::io::Error::other(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_owns_a_cgroup_of_its_own() {
        for root in ["", "/", "xebec", "/xebec/", "/a/../b", "//"] {
            assert!(check_cgroup(root).is_err(), "{root:?}");
        }
        assert!(check_cgroup("/xebec/n1").is_ok());
    }
}
