//! What the scheduler knows of a pending pod.

use xebec_api::object::Object;

/// A pod that waits for a node.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
}

impl PodInfo {
    /// Reads a pod.
    #[must_use]
    pub fn from_object(pod: &Object) -> Self {
        Self { namespace: pod.namespace().into(), name: pod.name().into(), uid: pod.uid().into() }
    }
}
