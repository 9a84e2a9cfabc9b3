//! Removes a sandbox, whatever state it is in, and leaves nothing behind.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandboxes::live_identity;
use super::{NodeRuntime, blocking, lease_owner};
use crate::RuntimeError;
use crate::shim::protocol::Request;
use crate::shim::start_ticks;

/// How long a shim may take to kill what it has. After that it is killed itself.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

impl NodeRuntime {
    /// Every step is done, whatever came of the others; the first error is told. The caller holds the pod's lock.
    pub(super) async fn tear_down(&self, uid: &str) -> Result<(), RuntimeError> {
        if let Some(entry) = self.sandboxes().get(uid) {
            entry.watch.cancel();
        }
        self.end_shim(uid).await;
        let (hierarchies, cgroup) = (self.inner.hierarchies.clone(), self.cgroup(uid));
        let killed = blocking(move || {
            hierarchies.kill(&cgroup);
            hierarchies.remove(&cgroup).map_err(|error| RuntimeError::io("removing the cgroup", error))
        });
        let mut errors = vec![killed.await.err()];
        errors.push(self.inner.network.detach(uid).await.err());
        let (store, prefix) = (self.inner.store.clone(), lease_owner(uid, ""));
        let dirs = [self.run_dir(uid), self.work_dir(uid)];
        let cleared = blocking(move || {
            store.release(&prefix)?;
            dirs.iter().try_for_each(remove_dir)
        });
        errors.push(cleared.await.err());
        match errors.into_iter().flatten().next() {
            Some(error) => Err(error),
            None => {
                self.sandboxes().remove(uid);
                self.hint(uid);
                Ok(())
            }
        }
    }

    /// Asks the shim to go; kills it where it does not.
    async fn end_shim(&self, uid: &str) {
        let Some(identity) = live_identity(&self.run_dir(uid)) else { return };
        let asked = async {
            let mut channel = self.client(uid).connect().await?;
            channel.call(&Request::Shutdown).await
        };
        let gone = tokio::time::timeout(SHUTDOWN_TIMEOUT, asked).await;
        if !matches!(gone, Ok(Ok(_))) {
            // Gone between the two is what is wanted.
            let _ = kill(Pid::from_raw(identity.pid), Signal::SIGKILL);
        }
        // Its mounts go with it: what is below them can be removed once it is dead.
        for _ in 0..1000 {
            if start_ticks(identity.pid) != Some(identity.start_ticks) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = kill(Pid::from_raw(identity.pid), Signal::SIGKILL);
    }
}

fn remove_dir(dir: &PathBuf) -> Result<(), RuntimeError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RuntimeError::io(format!("removing {}", dir.display()), error))
        }
        _ => Ok(()),
    }
}
