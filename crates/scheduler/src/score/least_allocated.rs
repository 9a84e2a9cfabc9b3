//! Prefers the node with the larger free share of cores and memory.

use crate::node::estimate;
use crate::{NodeInfo, PodInfo};

pub(super) fn score(pod: &PodInfo, node: &NodeInfo) -> i128 {
    let (cpu, memory) = estimate(pod);
    let cpu = free_share(node.allocatable.cpu_millis, node.estimated.0 + cpu);
    let memory = free_share(node.allocatable.memory_bytes, node.estimated.1 + memory);
    (cpu + memory) / 2
}

fn free_share(allocatable: i128, taken: i128) -> i128 {
    if allocatable <= 0 || taken > allocatable { 0 } else { (allocatable - taken) * 100 / allocatable }
}
