//! A node's own ports are given once.

use crate::ports::HostPort;
use crate::{NodeInfo, PodInfo, Refusal};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<Refusal> {
    let taken = pod.ports.iter().find(|port| node.ports.iter().any(|other| port.clashes(other)));
    taken.map(HostPort::taken).into_iter().collect()
}
