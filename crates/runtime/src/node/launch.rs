//! Launches a sandbox's shim and starts containers in it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use super::sandboxes::{READY, live_identity};
use super::{NodeRuntime, blocking, lease_owner};
use crate::image::private_dir;
use crate::shim::protocol::{CONFIG, Request, ShimConfig, StartRequest};
use crate::shim::write_whole;
use crate::{ContainerSpec, RuntimeError, Sandbox, SandboxSpec};

/// How long a shim may take to make its sandbox.
const LAUNCH_TIMEOUT: Duration = Duration::from_secs(30);

impl NodeRuntime {
    /// Makes a sandbox from nothing. The caller holds the pod's lock, and tears down what a failure leaves.
    pub(super) async fn launch(&self, spec: SandboxSpec) -> Result<Sandbox, RuntimeError> {
        let uid = spec.pod_uid.clone();
        let ip = if spec.host_network { None } else { Some(self.inner.network.allocate(&uid)?) };
        let config = ShimConfig {
            ips: ip.map(IpAddr::V4).into_iter().collect(),
            cgroup: self.cgroup(&uid),
            run_dir: self.run_dir(&uid),
            work_dir: self.work_dir(&uid),
            spec,
        };
        prepare(&config).map_err(|error| RuntimeError::io("making the sandbox's folders", error))?;
        self.spawn_shim(&config).await?;
        let identity = live_identity(&config.run_dir)
            .ok_or_else(|| RuntimeError::Shim { pod_uid: uid.clone(), message: "it died at once".into() })?;
        if let Some(ip) = ip {
            self.inner.network.attach(&uid, identity.pid, ip).await?;
        }
        fs::write(config.run_dir.join(READY), "")
            .map_err(|error| RuntimeError::io("marking it ready", error))?;
        self.add(&config, identity.pid as u32).await
    }

    /// Runs `shim` and waits until the sandbox is there; the shim itself goes on without us.
    async fn spawn_shim(&self, config: &ShimConfig) -> Result<(), RuntimeError> {
        let fail = |message: String| RuntimeError::Shim { pod_uid: config.spec.pod_uid.clone(), message };
        let mut command = tokio::process::Command::new("/proc/self/exe");
        command.arg0("xebec").arg("shim").arg("--dir").arg(&config.run_dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let ended = tokio::time::timeout(LAUNCH_TIMEOUT, command.output()).await;
        let output = ended
            .map_err(|_| fail("it was not ready in time".into()))?
            .map_err(|error| fail(format!("running this executable: {error}")))?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(fail(text.trim().to_owned()));
        }
        self.warn(text.lines().map(str::to_owned).collect());
        Ok(())
    }

    /// Starts a container in a sandbox that is there.
    pub(super) async fn start(&self, uid: &str, spec: ContainerSpec) -> Result<(), RuntimeError> {
        self.require(uid)?;
        let (store, name) = (self.inner.store.clone(), spec.image.clone());
        let owner = lease_owner(uid, &spec.id);
        let image = blocking(move || {
            let missing = || RuntimeError::ImageNotFound { image: name.clone() };
            let found = store.find(&name)?.ok_or_else(missing)?;
            // Where it was removed in between, it is not there.
            if store.lease(&owner, &found)? {
                Ok(found)
            } else {
                Err(RuntimeError::ImageNotFound { image: name })
            }
        });
        let image = image.await?;
        let id = spec.id.clone();
        let request = StartRequest {
            spec,
            image_digest: image.digest.to_string(),
            layers: image.layers,
            process: image.config.config.unwrap_or_default(),
        };
        let request = Request::Start(Box::new(request));
        let lack = "knows no subPath: delete the pod, so that a new one takes its place";
        let started = match self.check_version(uid, &request, lack) {
            Ok(()) => self.ask(uid, request).await.map_err(|error| error.about(&id)),
            too_old => too_old,
        };
        // One that is there already keeps its lease and its files.
        if !matches!(started, Ok(()) | Err(RuntimeError::Exists { .. })) {
            // The start's own error is the one to tell; the sandbox's removal takes what is left.
            let _ = self.forget_container(uid, &id).await;
        }
        started
    }

    /// Kills and removes a container, and what it left on disk but its log.
    pub(super) async fn remove(&self, uid: &str, id: &str) -> Result<(), RuntimeError> {
        match self.sandbox(uid) {
            Some(sandbox) if sandbox.alive => {
                self.ask(uid, Request::Remove { id: id.to_owned() })
                    .await
                    .map_err(|error| error.about(id))?;
                self.forget_container(uid, id).await
            }
            // What is left of it goes with the sandbox.
            _ => Ok(()),
        }
    }

    async fn forget_container(&self, uid: &str, id: &str) -> Result<(), RuntimeError> {
        let (store, owner) = (self.inner.store.clone(), lease_owner(uid, id));
        let work = self.work_dir(uid).join(id);
        blocking(move || {
            store.release_one(&owner)?;
            match fs::remove_dir_all(&work) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(RuntimeError::io(format!("removing {}", work.display()), error))
                }
                _ => Ok(()),
            }
        })
        .await
    }
}

fn prepare(config: &ShimConfig) -> io::Result<()> {
    for dir in [&config.run_dir, &config.work_dir] {
        private_dir(dir)?;
    }
    fs::create_dir_all(&config.spec.log_dir)?;
    write_whole(&config.run_dir.join(CONFIG), &serde_json::to_vec(config)?)
}
