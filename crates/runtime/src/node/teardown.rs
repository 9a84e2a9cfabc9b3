//! Stops or removes a sandbox, whatever state it is in; a removal leaves nothing behind.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::sandboxes::{READY, live_identity};
use super::{NodeRuntime, blocking, lease_owner};
use crate::RuntimeError;
use crate::shim::protocol::{CONFIG, Request, STATE};
use crate::shim::start_ticks;

/// How long a shim may take to kill what it has. After that it is killed itself.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

impl NodeRuntime {
    /// Ends the shim and gives back what the sandbox holds; its record stays. The caller holds the pod's lock.
    pub(super) async fn halt(&self, uid: &str) -> Result<(), RuntimeError> {
        let mut errors = self.free(uid).await;
        let dir = self.run_dir(uid);
        errors.extend(blocking(move || keep_record(&dir)).await.err());
        first(errors)?;
        if let Some(entry) = self.sandboxes().get_mut(uid) {
            (entry.sandbox.alive, entry.sandbox.stopped, entry.sandbox.pid) = (false, true, 0);
        }
        self.hint(uid);
        Ok(())
    }

    /// As [`Self::halt`], and takes the record away.
    pub(super) async fn tear_down(&self, uid: &str) -> Result<(), RuntimeError> {
        let mut errors = self.free(uid).await;
        let dir = self.run_dir(uid);
        errors.extend(blocking(move || remove_dir(&dir)).await.err());
        first(errors)?;
        self.sandboxes().remove(uid);
        self.hint(uid);
        Ok(())
    }

    /// Every step is done, whatever came of the others; what went wrong is told.
    async fn free(&self, uid: &str) -> Vec<RuntimeError> {
        if let Some(entry) = self.sandboxes().get(uid) {
            entry.watch.cancel();
        }
        self.end_shim(uid).await;
        let (hierarchies, cgroup) = (self.inner.hierarchies.clone(), self.cgroup(uid));
        let killed = blocking(move || {
            hierarchies.kill(&cgroup);
            hierarchies.remove(&cgroup).map_err(|error| RuntimeError::io("removing the cgroup", error))
        });
        let mut errors = Vec::from_iter(killed.await.err());
        errors.extend(self.inner.network.detach(uid).await.err());
        let (store, prefix, work) = (self.inner.store.clone(), lease_owner(uid, ""), self.work_dir(uid));
        let cleared = blocking(move || {
            store.release(&prefix)?;
            remove_dir(&work)
        });
        errors.extend(cleared.await.err());
        errors
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

fn first(errors: Vec<RuntimeError>) -> Result<(), RuntimeError> {
    errors.into_iter().next().map_or(Ok(()), Err)
}

/// Removes everything from a sandbox's folder but what tells of it.
fn keep_record(dir: &Path) -> Result<(), RuntimeError> {
    let fail = |error| RuntimeError::io(format!("clearing {}", dir.display()), error);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if [CONFIG, STATE, READY].iter().any(|kept| entry.file_name() == **kept) {
            continue;
        }
        if entry.file_type().map_err(fail)?.is_dir() {
            remove_dir(&entry.path())?;
        } else {
            fs::remove_file(entry.path()).map_err(fail)?;
        }
    }
    Ok(())
}

fn remove_dir(dir: &Path) -> Result<(), RuntimeError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RuntimeError::io(format!("removing {}", dir.display()), error))
        }
        _ => Ok(()),
    }
}
