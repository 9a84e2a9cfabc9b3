//! What the scheduler answers for each pod.

/// The answer for one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// Where it goes, or why nowhere.
    pub outcome: Outcome,
}

/// Where a pod goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Bind it to this node.
    Bind {
        /// The node's name.
        node: String,
    },
    /// No node takes it now.
    Unschedulable {
        /// For the pod's condition and its `FailedScheduling` event, as Kubernetes words it.
        message: String,
    },
}
