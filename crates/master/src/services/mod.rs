//! The gRPC services of a master, one file each.

mod cluster;
mod host;
mod metrics;
mod nodes;
mod sessions;

use xebec_api::error::{ApiError, Reason};
use xebec_apiserver::RequestContext;

pub(crate) use cluster::ClusterService;
pub(crate) use host::HostService;
pub(crate) use metrics::{Measured, MetricsService};
pub(crate) use nodes::NodesService;
pub(crate) use sessions::SessionsService;

/// Only the cluster's administrators may.
pub(crate) fn administrators_only(context: &RequestContext, what: &str) -> Result<(), ApiError> {
    if context.user.groups.iter().any(|group| group == "system:masters") {
        return Ok(());
    }
    let message = format!("User {:?} may not {what}: only members of system:masters may", context.user.name);
    tracing::warn!("refused: {message}");
    Err(ApiError::new(Reason::Forbidden, message))
}
