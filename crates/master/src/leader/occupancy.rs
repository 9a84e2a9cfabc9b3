//! Every node with what its pods take, kept from changes: a pass of the scheduler reads no pod
//! anew that has a node already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xebec_api::pod::{is_terminal, node_name};
use xebec_scheduler::{NodeInfo, PodInfo};
use xebec_state::{Key, State};

use crate::leader::feed::{self, Change};

/// See the module.
#[derive(Default)]
pub(crate) struct Occupancy {
    /// The nodes without their pods.
    bare: BTreeMap<String, NodeInfo>,
    /// The pods by node, whether that is there or not.
    pods: BTreeMap<String, BTreeMap<Key, Arc<PodInfo>>>,
    /// The node of each of these pods.
    places: BTreeMap<Key, String>,
    /// The nodes with their pods, but for those in `stale`.
    full: BTreeMap<String, NodeInfo>,
    /// Nodes where something changed.
    stale: BTreeSet<String>,
}

impl Occupancy {
    /// Of a whole state.
    pub(crate) fn of(state: &State) -> Self {
        let mut all = Self::default();
        for resource in ["nodes", "pods"] {
            for object in state.list(resource, None).filter_map(|(_, _, entry)| feed::of_entry(entry)) {
                all.follow(&Change { resource: resource.into(), gone: false, object });
            }
        }
        all
    }

    /// Follows one change.
    pub(crate) fn follow(&mut self, change: &Change) {
        match &*change.resource {
            "nodes" => self.follow_node(change),
            "pods" => self.follow_pod(change),
            _ => {}
        }
    }

    fn follow_node(&mut self, change: &Change) {
        let name = change.object.name();
        if change.gone {
            self.bare.remove(name);
        } else {
            self.bare.insert(name.to_owned(), NodeInfo::of(&change.object));
        }
        self.stale.insert(name.to_owned());
    }

    fn follow_pod(&mut self, change: &Change) {
        let pod = &change.object;
        let key = Key::new("pods", pod.namespace(), pod.name());
        if let Some(node) = self.places.remove(&key) {
            if let Some(pods) = self.pods.get_mut(&node) {
                pods.remove(&key);
                if pods.is_empty() {
                    self.pods.remove(&node);
                }
            }
            self.stale.insert(node);
        }
        if let Some(node) = node_name(pod).filter(|_| !change.gone && !is_terminal(pod)) {
            let pods = self.pods.entry(node.to_owned()).or_default();
            pods.insert(key.clone(), Arc::new(PodInfo::from_object(pod)));
            self.places.insert(key, node.to_owned());
            self.stale.insert(node.to_owned());
        }
    }

    /// The nodes, by name.
    pub(crate) fn nodes(&mut self) -> Vec<NodeInfo> {
        for name in std::mem::take(&mut self.stale) {
            let Some(mut node) = self.bare.get(&name).cloned() else {
                self.full.remove(&name);
                continue;
            };
            self.pods.get(&name).into_iter().flat_map(BTreeMap::values).for_each(|pod| node.add(pod));
            self.full.insert(name, node);
        }
        self.full.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use xebec_api::object::Object;
    use xebec_scheduler::{Namespaces, refusals};

    fn change(resource: &str, gone: bool, object: &Value) -> Change {
        let object = Object::from_json(object.to_string().as_bytes()).expect("an object");
        Change { resource: resource.into(), gone, object }
    }

    fn node(name: &str, pods: u32) -> Value {
        json!({"metadata": {"name": name}, "status": {"allocatable": {"pods": pods}}})
    }

    fn pod(name: &str, node: &str, phase: &str) -> Value {
        json!({"metadata": {"namespace": "default", "name": name}, "spec": {"nodeName": node},
            "status": {"phase": phase}})
    }

    /// Each node, and whether it has room for one more pod.
    fn room(all: &mut Occupancy) -> Vec<(String, bool)> {
        let nodes = all.nodes();
        let asks = Object::from_json(pod("new", "", "Pending").to_string().as_bytes()).expect("an object");
        let refusals = refusals(&PodInfo::from_object(&asks), &nodes, &Namespaces::default());
        nodes.into_iter().zip(refusals).map(|(node, refused)| (node.name, refused.is_empty())).collect()
    }

    #[test]
    fn what_pods_take_is_theirs_until_they_end_move_or_go() {
        let mut all = Occupancy::default();
        let with = |n1: bool, n2: bool| [("n1".to_owned(), n1), ("n2".to_owned(), n2)].to_vec();
        all.follow(&change("pods", false, &pod("early", "n2", "Running")));
        all.follow(&change("nodes", false, &node("n1", 1)));
        all.follow(&change("nodes", false, &node("n2", 1)));
        assert_eq!(room(&mut all), with(true, false), "a pod may be known before its node");
        all.follow(&change("pods", false, &pod("a", "", "Pending")));
        all.follow(&change("pods", false, &pod("a", "n1", "Pending")));
        all.follow(&change("pods", false, &pod("early", "n2", "Succeeded")));
        assert_eq!(room(&mut all), with(false, true));
        all.follow(&change("nodes", false, &node("n1", 2)));
        assert_eq!(room(&mut all), with(true, true));
        all.follow(&change("nodes", false, &node("n1", 1)));
        all.follow(&change("pods", true, &pod("a", "n1", "Running")));
        assert_eq!(room(&mut all), with(true, true));
        all.follow(&change("nodes", true, &node("n2", 1)));
        assert_eq!(room(&mut all), [("n1".to_owned(), true)]);
        assert!(all.pods.is_empty() && all.places.is_empty(), "nothing is kept of what is gone");
    }
}
