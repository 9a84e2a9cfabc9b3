//! What pods take of what their node is short of. Measured only when one of them must go: to
//! know what is on the disk, all of it is looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use xebec_api::object::Object;
use xebec_runtime::{DiskUsage, RuntimeError, disk_usage};

use super::choice::Taken;
use super::signal::Resource;
use crate::pod::machine::parse_run;
use crate::pod::sandboxes::log_dir;
use crate::pod::worker::{Wanted, bound};
use crate::run::Agent;
use crate::volumes;

/// By the pod's uid.
type All = BTreeMap<String, Taken>;

/// What each of these pods takes.
///
/// # Errors
/// The runtime does not say.
pub(super) async fn measure(
    agent: &Agent,
    resource: Resource,
    pods: &[Arc<Object>],
) -> Result<All, RuntimeError> {
    match resource {
        Resource::Memory => memory(agent).await,
        Resource::Pids => {
            let pods = agent.runtime.pod_usage().await?.into_iter();
            Ok(pods.map(|pod| (pod.pod_uid, Taken { total: pod.processes, ..Taken::default() })).collect())
        }
        Resource::EphemeralStorage => disk(agent, pods, |used| used.bytes).await,
        Resource::Inodes => disk(agent, pods, |used| used.inodes).await,
    }
}

async fn memory(agent: &Agent) -> Result<All, RuntimeError> {
    let pods = agent.runtime.pod_usage().await?.into_iter();
    let mut all: All =
        pods.map(|pod| (pod.pod_uid, Taken { total: pod.working_set_bytes, ..Taken::default() })).collect();
    for container in agent.runtime.usage().await? {
        if let (Some(taken), Some((name, _))) = (all.get_mut(&container.pod_uid), parse_run(&container.id)) {
            taken.containers.insert(name.to_owned(), container.usage.working_set_bytes);
        }
    }
    Ok(all)
}

/// Volumes on the disk, logs, and what containers have written over their images.
async fn disk(agent: &Agent, pods: &[Arc<Object>], of: fn(DiskUsage) -> u64) -> Result<All, RuntimeError> {
    let mut all = All::new();
    for pod in pods {
        let Ok(Some(bound)) = bound(&Wanted::Run(pod.clone())) else { continue };
        let (volumes, logs) = (volumes::on_disk(agent, &bound), log_dir(agent, pod.uid()));
        // A look that failed has found nothing.
        let (volumes, logs) = spawn_blocking(move || walk(&volumes, &logs)).await.unwrap_or_default();
        let mut taken = Taken { total: of(volumes), ..Taken::default() };
        for (container, used) in logs {
            add(&mut taken, &container, of(used));
        }
        all.insert(pod.uid().to_owned(), taken);
    }
    for layer in agent.runtime.layer_usage().await? {
        if let (Some(taken), Some((name, _))) = (all.get_mut(&layer.pod_uid), parse_run(&layer.id)) {
            add(taken, name, of(layer.disk));
        }
    }
    Ok(all)
}

fn add(taken: &mut Taken, container: &str, used: u64) {
    taken.total += used;
    *taken.containers.entry(container.to_owned()).or_default() += used;
}

/// What the volumes take together, and the logs of each container.
fn walk(volumes: &[PathBuf], logs: &Path) -> (DiskUsage, Vec<(String, DiskUsage)>) {
    let mut together = DiskUsage::default();
    for volume in volumes {
        together += disk_usage(volume);
    }
    let folders = std::fs::read_dir(logs).into_iter().flatten().flatten();
    let logs =
        folders.map(|folder| (folder.file_name().to_string_lossy().into_owned(), disk_usage(&folder.path())));
    (together, logs.collect())
}
