//! A container's hooks: `postStart` right after its start, `preStop` before it is asked to
//! end. Each runs beside the worker, and ends with it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use xebec_runtime::RuntimeError;

use crate::probe;
use crate::run::Agent;

/// Which run, and where it is reached.
#[derive(Clone)]
pub(super) struct Hooked {
    pub(super) agent: Arc<Agent>,
    pub(super) pod_uid: String,
    pub(super) run: String,
    pub(super) container: Container,
    pub(super) ip: Option<IpAddr>,
}

impl Hooked {
    pub(super) fn post_start(&self) -> Option<LifecycleHandler> {
        self.container.lifecycle.as_ref()?.post_start.clone()
    }

    pub(super) fn pre_stop(&self) -> Option<LifecycleHandler> {
        self.container.lifecycle.as_ref()?.pre_stop.clone()
    }

    /// Runs a hook to its end, or for so long.
    ///
    /// # Errors
    /// Why it failed, as the event says it.
    pub(super) async fn call(&self, hook: &LifecycleHandler, within: Duration) -> Result<(), String> {
        let call = async {
            if let Some(exec) = &hook.exec {
                return self.exec(exec.command.clone().unwrap_or_default(), within).await;
            }
            if let Some(action) = &hook.http_get {
                return probe::http_get(action, &self.container, self.ip).await;
            }
            if let Some(sleep) = &hook.sleep {
                tokio::time::sleep(Duration::from_secs(sleep.seconds.max(0).unsigned_abs())).await;
            }
            Ok(())
        };
        tokio::time::timeout(within, call).await.map_err(|_| format!("no end within {within:?}"))?
    }

    async fn exec(&self, command: Vec<String>, within: Duration) -> Result<(), String> {
        let words = command.join(" ");
        let outcome = self.agent.runtime.exec_sync(&self.pod_uid, &self.run, command, within).await;
        let outcome = outcome.map_err(|error: RuntimeError| error.to_string())?;
        match outcome.exit_code {
            0 => Ok(()),
            // What it wrote is the container's own: it may hold what is secret.
            code => Err(format!("command {words:?} exited with {code}")),
        }
    }
}
