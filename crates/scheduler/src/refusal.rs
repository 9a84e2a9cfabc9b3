//! Why a node cannot take a pod: the decision as data, with the numbers that it was taken
//! by, and in Kubernetes' words when printed.

use std::fmt;

use xebec_api::taint::Taint;

/// What one filter has against one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node is cordoned.
    Unschedulable,
    /// The pod names another node.
    OtherNode,
    /// The first taint that the pod does not tolerate.
    Untolerated(Taint),
    /// The pod's node affinity names other nodes, as that of a daemon pod does.
    NotNamed,
    /// The node's labels are not those that the pod asks for.
    Affinity,
    /// The pods that its pod affinity asks for are not near.
    PodAffinity,
    /// Pods are near that its pod anti-affinity forbids.
    PodAntiAffinity,
    /// Pods are near whose anti-affinity forbids it.
    ExistingAntiAffinity,
    /// Its like would be spread too unevenly.
    TopologySpread,
    /// The node lacks a label that its spread goes by.
    TopologyLabel,
    /// Another pod has the port on the node already.
    PortTaken {
        /// The host's port.
        port: u64,
        /// `TCP`, `UDP` or `SCTP`.
        protocol: String,
    },
    /// The node runs as many pods as it may.
    TooManyPods {
        /// How many that are.
        allowed: i128,
    },
    /// The node has too little left of something.
    Insufficient {
        /// Such as `cpu` (thousandths of a core), `memory` (bytes) or `example.com/gpu`.
        resource: String,
        /// What the pod asks for.
        asked: i128,
        /// What is left of it on the node; below zero when the node shrank.
        free: i128,
        /// What the node has for all pods together.
        allocatable: i128,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unschedulable => f.write_str("node(s) were unschedulable"),
            Self::OtherNode => f.write_str("node(s) didn't match the requested node name"),
            Self::NotNamed => f.write_str("node(s) didn't satisfy plugin(s) [NodeAffinity]"),
            Self::Untolerated(_) => f.write_str("node(s) had untolerated taint(s)"),
            Self::Affinity => f.write_str("node(s) didn't match Pod's node affinity/selector"),
            Self::PodAffinity => f.write_str("node(s) didn't match pod affinity rules"),
            Self::PodAntiAffinity => f.write_str("node(s) didn't match pod anti-affinity rules"),
            Self::ExistingAntiAffinity => {
                f.write_str("node(s) didn't satisfy existing pods anti-affinity rules")
            }
            Self::TopologySpread => f.write_str("node(s) didn't match pod topology spread constraints"),
            Self::TopologyLabel => {
                f.write_str("node(s) didn't match pod topology spread constraints (missing required label)")
            }
            Self::PortTaken { .. } => {
                f.write_str("node(s) didn't have free ports for the requested pod ports")
            }
            Self::TooManyPods { .. } => f.write_str("Too many pods"),
            Self::Insufficient { resource, .. } => write!(f, "Insufficient {resource}"),
        }
    }
}
