//! What a scan of the whole state would find, kept from events instead: which objects an
//! owner has, and which pods a node has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_state::{Key, State};

use crate::leader::feed::{self, Change};

/// Owner → objects and node → pods.
#[derive(Default)]
pub(crate) struct Index {
    owned: BTreeMap<String, BTreeSet<Key>>,
    on_node: BTreeMap<String, BTreeSet<Key>>,
    /// Where a key stands in the two above, to take it out again.
    known: BTreeMap<Key, Place>,
}

#[derive(Default, PartialEq, Eq)]
struct Place {
    owners: Vec<String>,
    node: Option<String>,
}

impl Index {
    /// The index of a whole state.
    pub(crate) fn of(state: &State) -> Self {
        let mut index = Self::default();
        let resources: Vec<Arc<str>> = feed::resources(state).cloned().collect();
        for resource in resources {
            for (_, _, entry) in state.list(&resource, None) {
                if let Some(object) = feed::of_entry(entry) {
                    index.put(&resource, &object);
                }
            }
        }
        index
    }

    /// Follows one change.
    pub(crate) fn follow(&mut self, change: &Change) {
        if change.gone {
            self.take(&key(&change.resource, &change.object));
        } else {
            self.put(&change.resource, &change.object);
        }
    }

    /// The keys of the objects that have this owner.
    pub(crate) fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.owned.get(uid).into_iter().flatten()
    }

    /// The keys of the pods that are bound to this node.
    pub(crate) fn pods_on(&self, node: &str) -> impl Iterator<Item = &Key> {
        self.on_node.get(node).into_iter().flatten()
    }

    fn put(&mut self, resource: &Arc<str>, object: &Object) {
        let (key, place) = (key(resource, object), Place::of(resource, object));
        if self.known.get(&key) == Some(&place) {
            return;
        }
        self.take(&key);
        if place == Place::default() {
            return;
        }
        for owner in &place.owners {
            self.owned.entry(owner.clone()).or_default().insert(key.clone());
        }
        if let Some(node) = &place.node {
            self.on_node.entry(node.clone()).or_default().insert(key.clone());
        }
        self.known.insert(key, place);
    }

    fn take(&mut self, key: &Key) {
        let Some(place) = self.known.remove(key) else { return };
        for owner in &place.owners {
            remove(&mut self.owned, owner, key);
        }
        if let Some(node) = &place.node {
            remove(&mut self.on_node, node, key);
        }
    }
}

impl Place {
    fn of(resource: &str, object: &Object) -> Self {
        let owners = object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
        let uids = owners.into_iter().flatten().filter_map(|owner| owner.get("uid")?.as_str());
        let node =
            Some(object.text(&["spec", "nodeName"])).filter(|node| resource == "pods" && !node.is_empty());
        Self { owners: uids.map(str::to_owned).collect(), node: node.map(str::to_owned) }
    }
}

fn key(resource: &Arc<str>, object: &Object) -> Key {
    Key { resource: resource.clone(), namespace: object.namespace().into(), name: object.name().into() }
}

fn remove(map: &mut BTreeMap<String, BTreeSet<Key>>, under: &str, key: &Key) {
    if let Some(keys) = map.get_mut(under) {
        keys.remove(key);
        if keys.is_empty() {
            map.remove(under);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(owner: &str, node: &str, gone: bool) -> Change {
        let object = json!({"kind": "Pod", "spec": {"nodeName": node},
            "metadata": {"namespace": "default", "name": "a", "ownerReferences": [{"uid": owner}]}});
        let object = Object::from_json(object.to_string().as_bytes()).expect("an object");
        Change { resource: "pods".into(), gone, object }
    }

    fn shown(index: &Index) -> String {
        let keys = |map: &BTreeMap<String, BTreeSet<Key>>| -> Vec<String> {
            map.iter().map(|(under, keys)| format!("{under}: {}", keys.len())).collect()
        };
        format!("{:?} {:?} {}", keys(&index.owned), keys(&index.on_node), index.known.len())
    }

    #[test]
    fn it_follows_what_changes_hands_and_forgets_what_is_gone() {
        let mut index = Index::default();
        index.follow(&pod("u1", "", false));
        assert_eq!(shown(&index), r#"["u1: 1"] [] 1"#);
        index.follow(&pod("u2", "n1", false));
        assert_eq!(shown(&index), r#"["u2: 1"] ["n1: 1"] 1"#);
        index.follow(&pod("u2", "n1", true));
        assert_eq!(shown(&index), "[] [] 0");
    }
}
