//! What the scheduler knows of a node.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{Resources, is_terminal};
use xebec_api::taint::{Taint, taints};

use crate::pod::PodInfo;
use crate::ports::HostPort;

/// A node and what its pods take of it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The node's name.
    pub name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) taints: Vec<Taint>,
    pub(crate) unschedulable: bool,
    pub(crate) allocatable: Resources,
    pub(crate) requested: Resources,
    /// As `requested`, with a guess for pods that ask for nothing, so that many of those
    /// do not land on one node: (thousandths of a core, bytes).
    pub(crate) estimated: (i128, i128),
    pub(crate) pods: i128,
    pub(crate) ports: Vec<HostPort>,
    /// Pods by the uid of their controller.
    pub(crate) owners: BTreeMap<String, i128>,
    /// The pods that are here.
    pub(crate) residents: Vec<Arc<PodInfo>>,
}

/// What a pod that asks for nothing is counted as, as in Kubernetes.
const GUESSED_CPU_MILLIS: i128 = 100;
const GUESSED_MEMORY_BYTES: i128 = 200 * 1024 * 1024;

impl NodeInfo {
    /// A node and the pods that are bound to it (those that have ended take nothing).
    #[must_use]
    pub fn from_objects(node: &Object, pods: &[Object]) -> Self {
        let mut info = Self::of(node);
        for pod in pods.iter().filter(|pod| !is_terminal(pod)) {
            info.add(&Arc::new(PodInfo::from_object(pod)));
        }
        info
    }

    /// A node without pods.
    #[must_use]
    pub fn of(node: &Object) -> Self {
        Self {
            name: node.name().to_owned(),
            labels: node.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            taints: taints(node),
            unschedulable: node.get(&["spec", "unschedulable"]) == Some(&Value::Bool(true)),
            allocatable: Resources::of(node.get(&["status", "allocatable"])),
            requested: Resources::default(),
            estimated: (0, 0),
            pods: 0,
            ports: Vec::new(),
            owners: BTreeMap::new(),
            residents: Vec::new(),
        }
    }

    /// Counts a pod as being here.
    pub fn add(&mut self, pod: &Arc<PodInfo>) {
        self.requested.add(&pod.requests);
        let (cpu, memory) = estimate(pod);
        self.estimated = (self.estimated.0 + cpu, self.estimated.1 + memory);
        self.pods += 1;
        self.ports.extend(pod.ports.iter().cloned());
        if !pod.owner.is_empty() {
            *self.owners.entry(pod.owner.clone()).or_default() += 1;
        }
        self.residents.push(pod.clone());
    }
}

/// A pod's requests, or the guess where it has none.
pub(crate) fn estimate(pod: &PodInfo) -> (i128, i128) {
    let or = |asked: i128, guess| if asked == 0 { guess } else { asked };
    (or(pod.requests.cpu_millis, GUESSED_CPU_MILLIS), or(pod.requests.memory_bytes, GUESSED_MEMORY_BYTES))
}
