//! What this process knows of its sandboxes: found again at the start, kept current by watching their shims.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::NodeRuntime;
use super::client::Channel;
use crate::shim::protocol::{CONFIG, IDENTITY, Request, Response, STATE, ShimConfig, ShimIdentity};
use crate::shim::{boot_id, start_ticks};
use crate::{ContainerState, RuntimeError, Sandbox};

/// Marks a sandbox whose launch was finished, network and all.
pub(super) const READY: &str = "ready";

/// How often a shim that lives and does not answer is tried again, and how long after one another.
const WATCH_TRIES: usize = 10;
const WATCH_PAUSE: Duration = Duration::from_millis(100);

/// One sandbox.
pub(super) struct Entry {
    pub(super) sandbox: Sandbox,
    /// How new the containers are.
    revision: u64,
    /// Ends the watch of its shim.
    pub(super) watch: CancellationToken,
}

impl NodeRuntime {
    /// Finds every sandbox whose folder is there, and gives back what belongs to none.
    pub(super) async fn adopt(&self) -> Result<(), RuntimeError> {
        let mut uids = BTreeSet::new();
        for dir in [self.inner.config.run_dir.clone(), self.inner.config.data_dir.join("pods")] {
            uids.extend(folder_names(&dir)?);
        }
        for uid in &uids {
            match read_json::<ShimConfig>(&self.run_dir(uid).join(CONFIG)) {
                Some(config) if self.run_dir(uid).join(READY).exists() => self.adopt_one(config).await,
                // A launch that was cut short, or a folder that a boot has emptied: nothing to tell the agent of.
                _ => self.tear_down(uid).await?,
            }
        }
        let known: Vec<String> = self.sandboxes().keys().cloned().collect();
        self.inner.network.retain(&known)
    }

    async fn adopt_one(&self, config: ShimConfig) {
        let uid = config.spec.pod_uid.clone();
        let identity = live_identity(&self.run_dir(&uid));
        let found = match &identity {
            Some(_) => self.watch(&uid).await.ok(),
            None => None,
        };
        let remembered = read_json::<Response>(&self.run_dir(&uid).join(STATE));
        let live = identity.is_some();
        let (channel, state) = match found {
            Some((channel, state)) => (Some(channel), Some(state)),
            None => (None, remembered),
        };
        let alive = channel.is_some();
        self.insert(&config, identity.map_or(0, |it| it.pid as u32), alive);
        if let Some(Response::State { revision, containers }) = state {
            self.update(&uid, revision, containers);
        }
        if let Some(channel) = channel {
            self.follow(&uid, channel);
        }
        if !live && let Err(error) = self.halt(&uid).await {
            tracing::warn!(pod_uid = uid, %error, "what a dead sandbox holds was not given back yet");
        }
    }

    /// Begins to watch a shim: the connection, and its containers now.
    async fn watch(&self, uid: &str) -> Result<(Channel, Response), RuntimeError> {
        let mut channel = self.client(uid).connect().await?;
        let state = channel.call(&Request::Watch).await?;
        Ok((channel, state))
    }

    /// Adds a sandbox that was just launched, and watches it.
    pub(super) async fn add(&self, config: &ShimConfig, pid: u32) -> Result<Sandbox, RuntimeError> {
        let uid = &config.spec.pod_uid;
        let (channel, state) = self.watch(uid).await?;
        let sandbox = self.insert(config, pid, true);
        if let Response::State { revision, containers } = state {
            self.update(uid, revision, containers);
        }
        self.follow(uid, channel);
        Ok(sandbox)
    }

    fn insert(&self, config: &ShimConfig, pid: u32, alive: bool) -> Sandbox {
        let sandbox = Sandbox {
            pod_uid: config.spec.pod_uid.clone(),
            namespace: config.spec.namespace.clone(),
            name: config.spec.name.clone(),
            ips: config.ips.clone(),
            pid,
            alive,
            stopped: false,
            containers: Vec::new(),
        };
        let watch = self.inner.stop.child_token();
        let entry = Entry { sandbox: sandbox.clone(), revision: 0, watch };
        self.sandboxes().insert(sandbox.pod_uid.clone(), entry);
        sandbox
    }

    /// Takes what the shim says from now on, until it ends or the sandbox is removed.
    fn follow(&self, uid: &str, mut channel: Channel) {
        let Some(stop) = self.sandboxes().get(uid).map(|entry| entry.watch.clone()) else { return };
        let (runtime, uid) = (self.clone(), uid.to_owned());
        self.inner.tasks.spawn(async move {
            loop {
                let received = tokio::select! {
                    () = stop.cancelled() => return,
                    received = channel.receive() => received,
                };
                let answer = received.and_then(|frame| frame.map(|it| channel.answer(&it)).transpose());
                match answer {
                    Ok(Some(Response::State { revision, containers })) => {
                        runtime.update(&uid, revision, containers);
                    }
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => match runtime.watch_again(&uid, &stop).await {
                        Some(again) => channel = again,
                        None => return runtime.lost(&uid, &stop),
                    },
                }
            }
        });
    }

    /// Takes the containers of a sandbox, unless newer ones are known.
    pub(super) fn update(&self, uid: &str, revision: u64, containers: Vec<ContainerState>) {
        {
            let mut sandboxes = self.sandboxes();
            let Some(entry) = sandboxes.get_mut(uid) else { return };
            if revision < entry.revision {
                return;
            }
            entry.revision = revision;
            entry.sandbox.containers = containers;
        }
        self.hint(uid);
    }

    /// The connection ended: while the shim's process lives, another is tried.
    async fn watch_again(&self, uid: &str, stop: &CancellationToken) -> Option<Channel> {
        for _ in 0..WATCH_TRIES {
            live_identity(&self.run_dir(uid))?;
            if let Ok((channel, Response::State { revision, containers })) = self.watch(uid).await {
                self.update(uid, revision, containers);
                return Some(channel);
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(WATCH_PAUSE) => {}
            }
        }
        None
    }

    /// Its shim is gone, unless it was told to go.
    fn lost(&self, uid: &str, stop: &CancellationToken) {
        if stop.is_cancelled() {
            return;
        }
        tracing::warn!(pod_uid = uid, "the pod's shim is gone");
        if let Some(entry) = self.sandboxes().get_mut(uid) {
            entry.sandbox.alive = false;
        }
        self.hint(uid);
    }

    pub(super) fn sandbox(&self, uid: &str) -> Option<Sandbox> {
        self.sandboxes().get(uid).map(|entry| entry.sandbox.clone())
    }

    /// Fails where there is no such sandbox.
    pub(super) fn require(&self, uid: &str) -> Result<Sandbox, RuntimeError> {
        self.sandbox(uid).ok_or_else(|| RuntimeError::NoSandbox { pod_uid: uid.to_owned() })
    }

    /// Fails where the pod's shim is older than a request, since it speaks as it did when its pod was started; `lack`
    /// says what such a version cannot do, and what the user can.
    pub(super) fn check_version(&self, uid: &str, request: &Request, lack: &str) -> Result<(), RuntimeError> {
        let shim = live_identity(&self.run_dir(uid));
        // One that is gone is for the connection to tell.
        if shim.is_none_or(|shim| shim.version >= request.since()) {
            return Ok(());
        }
        let message = format!("it is of an older version, which {lack}");
        Err(RuntimeError::Shim { pod_uid: uid.to_owned(), message })
    }
}

/// The shim of a folder, if the process that wrote it is still that process.
pub(super) fn live_identity(dir: &Path) -> Option<ShimIdentity> {
    let identity: ShimIdentity = read_json(&dir.join(IDENTITY))?;
    let same = identity.boot_id == boot_id() && start_ticks(identity.pid) == Some(identity.start_ticks);
    same.then_some(identity)
}

/// A document, or nothing where it is not there or damaged: both mean that a start or a boot cut it short.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn folder_names(dir: &Path) -> Result<Vec<String>, RuntimeError> {
    let fail = |error| RuntimeError::io(format!("reading {}", dir.display()), error);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
