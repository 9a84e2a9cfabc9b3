//! The applied state as controllers see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;
use xebec_controllers::{ClusterSettings, ObjectKey, View};
use xebec_state::{Key, State};

use crate::leader::feed;
use crate::leader::index::Index;
use crate::leader::{Term, ago};

/// One state, with the index that belongs to it.
pub(crate) struct StateView {
    /// Whose turn it is: a controller, by its place.
    pub(crate) turn: usize,
    /// A controller's keys whose last plan was refused, and why; one that is carried out takes its
    /// own out, and leaves what others were refused about the same object.
    pub(crate) refusals: BTreeMap<(usize, ObjectKey), String>,
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

    fn count_ended_pods(&self) -> usize {
        self.index.ended_pods().count()
    }

    fn ended_pods(&self) -> Vec<Object> {
        self.index.ended_pods().filter_map(|key| self.read(key)).collect()
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

    fn may_belong(
        &self,
        resource: &str,
        namespace: &str,
        uid: &str,
        selector: Option<&LabelSelector>,
    ) -> Vec<Object> {
        let owned = self.index.owned_by(uid);
        let owned = owned.filter(|key| *key.resource == *resource && *key.namespace == *namespace);
        let mut keys: BTreeSet<&Key> = owned.collect();
        if let Some(selector) = selector {
            match self.index.selected(resource, namespace, selector) {
                Some(selected) => keys.extend(selected),
                None => return self.list(resource, Some(namespace)),
            }
        }
        keys.into_iter().filter_map(|key| self.read(key)).collect()
    }

    fn last_seen(&self, node: &str) -> Option<Timestamp> {
        (self.term.around.last_seen)(node)
    }

    fn leading_since(&self) -> Timestamp {
        ago(self.term.around.clock.now(), self.term.since.elapsed())
    }

    fn refusal(&self, key: &ObjectKey) -> Option<String> {
        self.refusals.get(&(self.turn, key.clone())).cloned()
    }

    fn settings(&self) -> &ClusterSettings {
        &self.term.around.settings
    }

    fn masters(&self) -> Vec<String> {
        (self.term.around.masters)()
    }
}
