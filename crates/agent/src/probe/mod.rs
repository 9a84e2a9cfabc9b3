//! Probes: one task a container's run, which tells its worker what it finds.

mod attempt;
mod grpc;
mod http;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Container;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xebec_runtime::Runtime;

pub(crate) use self::attempt::http_get;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The run's `postStart` hook has succeeded.
    Opened { run: String },
    /// The run was sent its SIGTERM, after its `preStop`.
    Signalled { run: String },
    /// The run's startup probe has succeeded.
    Started { run: String },
    /// The run is ready, or is not any more.
    Ready { run: String, ready: bool },
    /// A try failed.
    Unhealthy { run: String, why: String },
    /// The run must end, because it failed something: its liveness probe, a hook.
    Condemned { run: String, failed: &'static str, grace_seconds: Option<i64> },
    /// The pod takes more of the node than it may, or than there is: then others did, too.
    Evicted { message: String, is_disruption: bool },
}

/// What is probed.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) pod_uid: String,
    pub(crate) run: String,
    pub(crate) ip: Option<IpAddr>,
}

/// What is known of a run when its probes begin.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Its startup probe has succeeded.
    pub(crate) started: bool,
    /// It was ready last.
    pub(crate) ready: bool,
    /// How long it runs.
    pub(crate) age: Duration,
}

/// The tasks of a pod's probes, by run.
#[derive(Default)]
pub(crate) struct Running(BTreeMap<String, JoinHandle<()>>);

impl Running {
    pub(crate) fn start(
        &mut self,
        target: Target,
        container: &Container,
        known: Known,
        verdicts: mpsc::Sender<Verdict>,
    ) {
        let run = target.run.clone();
        let task = tokio::spawn(schedule::watch(target, container.clone(), known, verdicts));
        self.0.insert(run, task);
    }

    /// Ends the probes of runs that are none any more.
    pub(crate) fn keep(&mut self, runs: impl Fn(&str) -> bool) {
        self.0.retain(|run, task| {
            let keep = runs(run);
            if !keep {
                task.abort();
            }
            keep
        });
    }

    pub(crate) async fn stop(&mut self) {
        for task in std::mem::take(&mut self.0).into_values() {
            task.abort();
            // Cancelled is how it ends.
            let _ = task.await;
        }
    }
}
