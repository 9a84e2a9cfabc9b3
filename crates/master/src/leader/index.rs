//! What a scan of the whole state would find, kept from events instead: which objects an
//! owner has or may select, which pods a node has, which slices name a pod, and which Services
//! may select it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::is_terminal;
use xebec_api::selector::LabelSelector;
use xebec_api::well_known::SERVICE_NAME;
use xebec_state::{Key, State};

use crate::leader::feed::{self, Change};

/// By what an object is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trait {
    /// The uid of an owner.
    Owner(String),
    /// The node that a pod is bound to.
    Node(String),
    /// A pod that has ended.
    Ended,
    /// The uid of a pod that a slice names.
    Target(String),
    /// The namespace and the name of the Service that a slice belongs to.
    Behind([String; 2]),
    /// A label of what owners select: see [`labelled`].
    Labelled(String),
    /// The namespace of a Service, and the first label that it selects.
    Selects([String; 3]),
}

/// Objects by their traits.
#[derive(Default)]
pub(crate) struct Index {
    found: BTreeMap<Trait, BTreeSet<Key>>,
    /// Where a key stands in the above, to take it out again.
    known: BTreeMap<Key, Vec<Trait>>,
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
        self.found(&Trait::Owner(uid.to_owned()))
    }

    /// The keys of the pods that are bound to this node.
    pub(crate) fn pods_on(&self, node: &str) -> impl Iterator<Item = &Key> {
        self.found(&Trait::Node(node.to_owned()))
    }

    /// The keys of the pods that have ended.
    pub(crate) fn ended_pods(&self) -> impl Iterator<Item = &Key> {
        self.found(&Trait::Ended)
    }

    /// The keys of the EndpointSlices that name a pod by its uid.
    pub(crate) fn slices_naming(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.found(&Trait::Target(uid.to_owned()))
    }

    /// The keys of the EndpointSlices that belong to a Service.
    pub(crate) fn slices_of(&self, namespace: &str, service: &str) -> impl Iterator<Item = &Key> {
        self.found(&Trait::Behind([namespace, service].map(str::to_owned)))
    }

    /// The keys of the Services that select one of a pod's labels: all that select it are among them.
    pub(crate) fn may_select(&self, pod: &Object) -> impl Iterator<Item = &Key> {
        let labels = pod.labels().map(|(key, value)| [pod.namespace(), key, value].map(str::to_owned));
        let labels: Vec<Trait> = labels.map(Trait::Selects).collect();
        labels.into_iter().flat_map(|label| self.found(&label))
    }

    /// The keys of the objects of a resource that have one of the labels which a selector asks
    /// for, the rarest: all that it selects are among them. `None` when it asks for no label with
    /// one value, or labels of the resource are not kept.
    pub(crate) fn selected<'a>(
        &'a self,
        resource: &str,
        namespace: &str,
        selector: &LabelSelector,
    ) -> Option<impl Iterator<Item = &'a Key> + use<'a>> {
        if !LABELLED.contains(&resource) {
            return None;
        }
        let found = selector.exact().map(|(label, value)| {
            let keys = self.found.get(&labelled(resource, namespace, label, value));
            (keys.map_or(0, BTreeSet::len), keys)
        });
        let (_, rarest) = found.min_by_key(|(count, _)| *count)?;
        Some(rarest.into_iter().flatten())
    }

    fn found(&self, by: &Trait) -> impl Iterator<Item = &Key> + use<'_> {
        self.found.get(by).into_iter().flatten()
    }

    fn put(&mut self, resource: &Arc<str>, object: &Object) {
        let (key, traits) = (key(resource, object), traits(resource, object));
        if self.known.get(&key).map_or(&[][..], Vec::as_slice) == traits {
            return;
        }
        self.take(&key);
        if traits.is_empty() {
            return;
        }
        for it in &traits {
            self.found.entry(it.clone()).or_default().insert(key.clone());
        }
        self.known.insert(key, traits);
    }

    fn take(&mut self, key: &Key) {
        for it in self.known.remove(key).into_iter().flatten() {
            if let Some(keys) = self.found.get_mut(&it) {
                keys.remove(key);
                if keys.is_empty() {
                    self.found.remove(&it);
                }
            }
        }
    }
}

/// The resources whose labels are kept: what owners claim by a selector.
const LABELLED: [&str; 3] = ["pods", "apps/replicasets", "apps/controllerrevisions"];

/// One label of an object of a resource in a namespace. None of the parts can have a NUL.
fn labelled(resource: &str, namespace: &str, label: &str, value: &str) -> Trait {
    Trait::Labelled([resource, namespace, label, value].join("\0"))
}

/// By what an object is found.
fn traits(resource: &str, object: &Object) -> Vec<Trait> {
    let list = |path: &[&str]| object.get(path).and_then(Value::as_array).into_iter().flatten();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let owners = list(&["metadata", "ownerReferences"]).filter_map(|owner| text(owner.get("uid")));
    let mut traits: Vec<Trait> = owners.map(Trait::Owner).collect();
    if LABELLED.contains(&resource) {
        let labels = object.labels();
        traits.extend(labels.map(|(label, value)| labelled(resource, object.namespace(), label, value)));
    }
    match resource {
        "pods" => {
            let node = object.text(&["spec", "nodeName"]);
            traits.extend((!node.is_empty()).then(|| Trait::Node(node.to_owned())));
            traits.extend(is_terminal(object).then_some(Trait::Ended));
        }
        "discovery.k8s.io/endpointslices" => {
            let uids = list(&["endpoints"]).filter_map(|endpoint| text(endpoint.pointer("/targetRef/uid")));
            traits.extend(uids.map(Trait::Target));
            let service = object.text(&["metadata", "labels", SERVICE_NAME]);
            traits.push(Trait::Behind([object.namespace(), service].map(str::to_owned)));
        }
        "services" => {
            let selector = object.get(&["spec", "selector"]).and_then(Value::as_object);
            let first = selector.and_then(|labels| labels.iter().next());
            if let Some((label, Value::String(value))) = first {
                traits.push(Trait::Selects([object.namespace().to_owned(), label.clone(), value.clone()]));
            }
        }
        _ => {}
    }
    traits
}

fn key(resource: &Arc<str>, object: &Object) -> Key {
    Key { resource: resource.clone(), namespace: object.namespace().into(), name: object.name().into() }
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
        let found = index.found.iter().map(|(it, keys)| format!("{it:?}: {}", keys.len()));
        format!("{} of {}", found.collect::<Vec<_>>().join(", "), index.known.len())
    }

    #[test]
    fn it_follows_what_changes_hands_and_forgets_what_is_gone() {
        let mut index = Index::default();
        index.follow(&pod("u1", "", false));
        assert_eq!(shown(&index), r#"Owner("u1"): 1 of 1"#);
        index.follow(&pod("u2", "n1", false));
        assert_eq!(shown(&index), r#"Owner("u2"): 1, Node("n1"): 1 of 1"#);
        index.follow(&pod("u2", "n1", true));
        assert_eq!(shown(&index), " of 0");
    }

    #[test]
    fn what_a_selector_selects_is_found_by_its_rarest_label() {
        let mut index = Index::default();
        for (name, namespace, hash) in [("a", "x", "1"), ("b", "x", "1"), ("c", "x", "2"), ("d", "y", "2")] {
            let labels = json!({"app": "web", "hash": hash});
            let pod = json!({"metadata": {"namespace": namespace, "name": name, "labels": labels}});
            let object = Object::from_json(pod.to_string().as_bytes()).expect("an object");
            index.follow(&Change { resource: "pods".into(), gone: false, object });
        }
        let names = |selector: &str| {
            let selector = LabelSelector::parse(selector).expect("a selector");
            let selected = index.selected("pods", "x", &selector)?;
            Some(selected.map(|key| key.name.to_string()).collect::<Vec<_>>().concat())
        };
        assert_eq!(names("app=web").as_deref(), Some("abc"));
        assert_eq!(names("app=web,hash=2").as_deref(), Some("c"));
        assert_eq!(names("app=web,hash=3").as_deref(), Some(""));
        assert_eq!(names("app,hash in (1,2)"), None);
        assert!(index.selected("services", "x", &LabelSelector::default()).is_none());
    }

    #[test]
    fn slices_and_services_of_a_pod_are_found() {
        let mut index = Index::default();
        let change = |resource: &str, object: Value| {
            let object = Object::from_json(object.to_string().as_bytes()).expect("an object");
            Change { resource: resource.into(), gone: false, object }
        };
        let slice = |uids: &[&str]| {
            let endpoints: Vec<Value> = uids.iter().map(|uid| json!({"targetRef": {"uid": uid}})).collect();
            let metadata = json!({"namespace": "a", "name": "s", "labels": {SERVICE_NAME: "web"}});
            let slice = json!({"metadata": metadata, "endpoints": endpoints});
            change("discovery.k8s.io/endpointslices", slice)
        };
        let service = |namespace: &str, name: &str, selector: Value| {
            let metadata = json!({"namespace": namespace, "name": name});
            change("services", json!({"metadata": metadata, "spec": {"selector": selector}}))
        };
        index.follow(&slice(&["u1", "u2"]));
        index.follow(&slice(&["u2"]));
        let naming = |uid| index.slices_naming(uid).count();
        assert_eq!((naming("u1"), naming("u2")), (0, 1));
        let behind = |namespace, service| index.slices_of(namespace, service).count();
        assert_eq!((behind("a", "web"), behind("a", "other"), behind("b", "web")), (1, 0, 0));
        index.follow(&service("a", "web", json!({"app": "web"})));
        index.follow(&service("a", "both", json!({"app": "web", "tier": "front"})));
        index.follow(&service("a", "other", json!({"app": "other"})));
        index.follow(&service("a", "none", json!({})));
        index.follow(&service("b", "web", json!({"app": "web"})));
        let pod = json!({"metadata": {"namespace": "a", "name": "p", "labels": {"app": "web", "x": "y"}}});
        let pod = Object::from_json(pod.to_string().as_bytes()).expect("an object");
        let names: Vec<&str> = index.may_select(&pod).map(|key| &*key.name).collect();
        assert_eq!(names, ["both", "web"]);
    }
}
