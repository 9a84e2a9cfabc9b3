//! Whether an emptyDir on the node's disk is within its `sizeLimit`. One in memory has its
//! limit from the kernel.

use k8s_openapi::api::core::v1::Volume;
use xebec_api::quantity::Quantity;
use xebec_runtime::disk_usage;

use super::{empty_dir, path, volumes};
use crate::pod::worker::Bound;
use crate::run::Agent;

/// Why the pod must go, as Kubernetes says it, if it must.
pub(super) async fn excess(agent: &Agent, bound: &Bound) -> Option<String> {
    for volume in volumes(bound) {
        let Some((text, limit)) = limit(volume) else { continue };
        let path = path(agent, bound, &volume.name);
        // Walking a tree waits for the disk.
        let used = tokio::task::spawn_blocking(move || disk_usage(&path)).await.unwrap_or_default();
        if used.bytes > limit {
            return Some(format!("Usage of EmptyDir volume {:?} exceeds the limit {text:?}. ", volume.name));
        }
    }
    None
}

fn limit(volume: &Volume) -> Option<(&str, u64)> {
    let source = volume.empty_dir.as_ref().filter(|source| !empty_dir::is_memory(source))?;
    let text = source.size_limit.as_ref()?.0.as_str();
    let bytes = u64::try_from(Quantity::parse(text).ok()?.value()).ok().filter(|bytes| *bytes > 0)?;
    Some((text, bytes))
}
