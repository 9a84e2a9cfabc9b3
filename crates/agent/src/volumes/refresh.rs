//! Keeps the volumes of a running pod up to date: what changed in the API reaches its files
//! within seconds, and tokens are renewed before they expire. What cannot be had any more
//! stays as it was. A pod whose emptyDir has grown over its limit is told to its worker.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{atomic, contents, path, service_account, usage, volumes, write};
use crate::eviction;
use crate::pod::status::in_last_phase;
use crate::pod::worker::{self, Bound, Wanted};
use crate::probe::Verdict;
use crate::run::Agent;
use crate::sources::Age;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// Runs as long as its pod's worker, unless the pod is over before.
pub(crate) async fn keep(
    agent: Arc<Agent>,
    mut wanted: watch::Receiver<Wanted>,
    verdicts: mpsc::Sender<Verdict>,
) {
    loop {
        let bound = worker::bound(&wanted.borrow_and_update().clone());
        let Ok(Some(bound)) = bound else { return };
        if in_last_phase(&bound.pod) {
            return;
        }
        refresh(&agent, &bound).await;
        // What the cluster cannot do without is never evicted.
        if !eviction::is_critical(&bound.object)
            && let Some(message) = usage::excess(&agent, &bound).await
        {
            // It fails, once; a worker that is gone needs no verdict.
            let _ = verdicts.send(Verdict::Evicted { message, is_disruption: false }).await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            // The pod's own fields may be among its files.
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

/// Only what a container has mounted: the others are made when one starts.
async fn refresh(agent: &Agent, bound: &Bound) {
    for volume in volumes(bound).filter(|volume| atomic::is_written(&path(agent, bound, &volume.name))) {
        let outcome = match contents::of(agent, bound, volume, Age::Recent).await {
            Ok(Some(files)) => write(agent, bound, &volume.name, &files),
            Ok(None) => Ok(()),
            Err(why) => Err(why),
        };
        if let Err(why) = outcome {
            tracing::debug!(pod = bound.object.name(), volume = volume.name, why, "not refreshed");
        }
    }
    if atomic::is_written(&path(agent, bound, service_account::VOLUME)) {
        let files = service_account::files(agent, bound).await;
        let outcome = files.and_then(|files| write(agent, bound, service_account::VOLUME, &files));
        if let Err(why) = outcome {
            tracing::debug!(pod = bound.object.name(), why, "the token was not refreshed");
        }
    }
}
