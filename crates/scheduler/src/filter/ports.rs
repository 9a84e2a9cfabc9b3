//! A node's own ports are given once.

use super::refuse_unless;
use crate::{NodeInfo, PodInfo};

pub(super) fn refuse(pod: &PodInfo, node: &NodeInfo) -> Vec<String> {
    let taken = pod.ports.iter().any(|port| node.ports.iter().any(|other| port.clashes(other)));
    refuse_unless(!taken, "node(s) didn't have free ports for the requested pod ports")
}
