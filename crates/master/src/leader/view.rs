//! The applied state as controllers see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_controllers::{ClusterSettings, ObjectKey, View};
use xebec_state::{Key, State};

use crate::leader::feed;
use crate::leader::index::Index;
use crate::leader::{Term, ago};

/// One state, with the index that belongs to it.
pub(crate) struct StateView {
    /// Keys whose last plan was refused, and why; one that is carried out takes its own out.
    pub(crate) refusals: BTreeMap<ObjectKey, String>,
    pub(crate) term: Term,
    pub(crate) state: Arc<State>,
    pub(crate) index: Index,
}

impl StateView {
    fn read(&self, key: &Key) -> Option<Object> {
        self.state.get(key).and_then(feed::of_entry)
    }
}

impl View for StateView {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        self.read(&Key::new(resource, namespace, name))
    }

    fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Object> {
        self.state.list(resource, namespace).filter_map(|(_, _, entry)| feed::of_entry(entry)).collect()
    }

    fn owned_by(&self, uid: &str) -> Vec<Object> {
        self.index.owned_by(uid).filter_map(|key| self.read(key)).collect()
    }

    fn pods_on(&self, node: &str) -> Vec<Object> {
        self.index.pods_on(node).filter_map(|key| self.read(key)).collect()
    }

    fn slices_naming(&self, uid: &str) -> Vec<Object> {
        self.index.slices_naming(uid).filter_map(|key| self.read(key)).collect()
    }

    fn slices_of(&self, namespace: &str, service: &str) -> Vec<Object> {
        self.index.slices_of(namespace, service).filter_map(|key| self.read(key)).collect()
    }

    fn may_select(&self, pod: &Object) -> Vec<Object> {
        self.index.may_select(pod).filter_map(|key| self.read(key)).collect()
    }

    fn last_seen(&self, node: &str) -> Option<Timestamp> {
        (self.term.around.last_seen)(node)
    }

    fn leading_since(&self) -> Timestamp {
        ago(self.term.around.clock.now(), self.term.since.elapsed())
    }

    fn refusal(&self, key: &ObjectKey) -> Option<String> {
        self.refusals.get(key).cloned()
    }

    fn settings(&self) -> &ClusterSettings {
        &self.term.around.settings
    }

    fn masters(&self) -> Vec<String> {
        (self.term.around.masters)()
    }
}
