//! What the scheduler knows of a pod.

use serde_json::Value;
use xebec_api::node_affinity::NodeAffinity;
use xebec_api::object::Object;
use xebec_api::pod::{Resources, is_terminal, node_name, requests};
use xebec_api::taint::{Toleration, tolerations};

use crate::ports::{HostPort, host_ports};

/// A pod that waits for a node.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// `spec.priority`: higher goes first.
    pub(crate) priority: i64,
    /// `metadata.creationTimestamp`: among equals, older goes first.
    pub(crate) created: String,
    /// `spec.nodeName`, when the pod names its node itself.
    pub(crate) node_name: String,
    pub(crate) affinity: NodeAffinity,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) requests: Resources,
    pub(crate) ports: Vec<HostPort>,
    /// The uid of its controller: pods of one owner are spread.
    pub(crate) owner: String,
}

impl PodInfo {
    /// Reads a pod.
    #[must_use]
    pub fn from_object(pod: &Object) -> Self {
        Self {
            namespace: pod.namespace().into(),
            name: pod.name().into(),
            uid: pod.uid().into(),
            priority: pod.get(&["spec", "priority"]).and_then(Value::as_i64).unwrap_or_default(),
            created: pod.text(&["metadata", "creationTimestamp"]).to_owned(),
            node_name: node_name(pod).unwrap_or_default().to_owned(),
            affinity: NodeAffinity::of(pod),
            tolerations: tolerations(pod),
            requests: requests(pod),
            ports: host_ports(pod),
            owner: pod.controller_uid().unwrap_or_default().to_owned(),
        }
    }
}

/// Whether a pod waits for this scheduler: it has no node, has not ended, is not on its
/// way out, is not gated, and asked for no other scheduler.
#[must_use]
pub fn is_pending(pod: &Object) -> bool {
    let gated = pod.get(&["spec", "schedulingGates"]).and_then(Value::as_array);
    node_name(pod).is_none()
        && !pod.is_terminating()
        && !is_terminal(pod)
        && gated.is_none_or(Vec::is_empty)
        && matches!(pod.text(&["spec", "schedulerName"]), "" | "default-scheduler")
}
