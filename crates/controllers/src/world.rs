//! A cluster for tests: a view that plans are applied to, as the API server would, with
//! something like a scheduler and kubelets that make pods run. Time stands still unless
//! a test moves it.

mod api;
mod kubelet;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_api::well_known::SERVICE_NAME;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{ENDPOINT_SLICES, PODS, SERVICES};
use crate::view::{ClusterSettings, View};

type Name = (String, String, String);

/// See the module.
pub(crate) struct World {
    pub(super) objects: BTreeMap<Name, Object>,
    revision: u64,
    pub(crate) now: Timestamp,
    pub(crate) leading_since: Timestamp,
    pub(crate) seen: BTreeMap<String, Timestamp>,
    pub(crate) settings: ClusterSettings,
    pub(crate) masters: Vec<String>,
    /// Why creates are refused, while they are.
    pub(crate) refuses: Option<String>,
    pub(super) refused: BTreeMap<ObjectKey, String>,
    /// Every write and event since it was last taken, one line each.
    log: Vec<String>,
    /// The resources that were listed as a whole since this was last emptied.
    pub(crate) listed: RefCell<Vec<String>>,
    /// Every object that changed since it was last taken: as it is, or as it last was.
    changes: Vec<(String, Object)>,
}

impl World {
    pub(crate) fn new() -> Self {
        let now = "2026-11-24T10:00:00Z".parse().expect("a time");
        Self {
            objects: BTreeMap::new(),
            revision: 100,
            now,
            leading_since: now,
            seen: BTreeMap::new(),
            settings: ClusterSettings { ca_pem: "PEM".to_owned(), ..ClusterSettings::default() },
            masters: vec!["10.99.0.11:6443".to_owned(), "10.99.0.12:6443".to_owned()],
            refuses: None,
            refused: BTreeMap::new(),
            log: Vec::new(),
            listed: RefCell::default(),
            changes: Vec::new(),
        }
    }

    /// Creates an object as a user would.
    pub(crate) fn put(&mut self, object: Value) -> Object {
        let object = crate::wanted::object(object);
        let key = self.create(&object);
        self.objects[&key].clone()
    }

    /// Creates a Ready node that is heard of now.
    pub(crate) fn put_node(&mut self, name: &str) {
        self.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
            "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                "lastTransitionTime": rfc3339(self.now)}]},
        }));
        self.seen.insert(name.to_owned(), self.now);
    }

    /// Changes an object as a user would: the status stays, the generation goes up.
    pub(crate) fn edit(
        &mut self,
        resource: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Object),
    ) {
        let mut object = self.get(resource, namespace, name).expect("it exists");
        change(&mut object);
        self.replace(resource, &object);
    }

    /// Changes any part of an object, past all rules.
    pub(crate) fn poke(
        &mut self,
        resource: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Object),
    ) {
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let object = self.objects.get_mut(&key).expect("it exists");
        change(object);
        self.changes.push((key.0, object.clone()));
    }

    pub(crate) fn advance(&mut self, seconds: u64) {
        self.now = self.now.checked_add(Duration::from_secs(seconds)).expect("in range");
    }

    /// Says that every node but `silent` was heard of now.
    pub(crate) fn hear_all_but(&mut self, silent: &[&str]) {
        for (name, seen) in &mut self.seen {
            if !silent.contains(&name.as_str()) {
                *seen = self.now;
            }
        }
    }

    /// One reconcile of one key, applied.
    pub(crate) fn reconcile(&mut self, controller: &dyn Controller, key: &ObjectKey) -> Plan {
        // Generated names come from the time, which never stands quite still.
        self.now = self.now.checked_add(Duration::from_nanos(1)).expect("in range");
        let plan = controller.reconcile(self, key, self.now);
        match self.apply(&plan) {
            Ok(()) => drop(self.refused.remove(key)),
            Err(why) => drop(self.refused.insert(key.clone(), why)),
        }
        plan
    }

    /// Runs controllers and kubelets until nothing changes any more, which must happen soon.
    pub(crate) fn settle(&mut self, controllers: &[&dyn Controller]) {
        for _ in 0..100 {
            let mut moved = false;
            for controller in controllers {
                for key in controller.initial(self) {
                    moved |= !self.reconcile(*controller, &key).actions.is_empty();
                }
            }
            moved |= self.run_kubelets();
            if !moved {
                return;
            }
        }
        panic!("the controllers never came to rest: {:#?}", self.log);
    }

    /// Runs controllers alone: what they wrote, until they come to rest.
    pub(crate) fn writes(&mut self, controllers: &[&dyn Controller]) -> String {
        self.take_log();
        for _ in 0..20 {
            let mut moved = false;
            for controller in controllers {
                for key in controller.initial(self) {
                    moved |= !self.reconcile(*controller, &key).actions.is_empty();
                }
            }
            if !moved {
                return self.take_log();
            }
        }
        panic!("the controllers never came to rest: {:#?}", self.log);
    }

    /// Runs controllers as their driver does, only on the keys that changes give, and
    /// kubelets in between. Then nothing may be left that a controller would still do.
    pub(crate) fn drive(&mut self, controllers: &[Box<dyn Controller>]) {
        let mut queue: BTreeSet<(usize, ObjectKey)> = BTreeSet::new();
        for _ in 0..5000 {
            for (resource, object) in std::mem::take(&mut self.changes) {
                for (index, controller) in controllers.iter().enumerate() {
                    let keys = controller.keys(self, &resource, &object);
                    queue.extend(keys.into_iter().map(|key| (index, key)));
                }
            }
            if let Some((index, key)) = queue.pop_first() {
                self.reconcile(controllers[index].as_ref(), &key);
            } else if !self.run_kubelets() && self.changes.is_empty() {
                let all: Vec<&dyn Controller> = controllers.iter().map(AsRef::as_ref).collect();
                let log = self.take_log();
                assert_eq!(self.writes(&all), "", "no change pointed here, after:\n{log}");
                return;
            }
        }
        panic!("the controllers never came to rest: {:#?}", self.log);
    }

    pub(crate) fn take_log(&mut self) -> String {
        std::mem::take(&mut self.log).into_iter().map(|line| line + "\n").collect()
    }

    /// The status of an object as JSON, without times.
    pub(crate) fn status(&self, resource: &str, namespace: &str, name: &str) -> String {
        let object = self.get(resource, namespace, name).expect("it exists");
        let mut status = object.get(&["status"]).cloned().unwrap_or_default();
        for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
            let condition = condition.as_object_mut().expect("a map");
            condition.retain(|key, _| !key.starts_with("last"));
        }
        serde_json::to_string_pretty(&status).expect("JSON") + "\n"
    }

    /// Each pod: its name or its set's, its node, and how it is.
    pub(crate) fn pods(&self) -> String {
        let line = |pod: &Object| {
            let ready = if crate::pods::is_ready(pod) { "ready" } else { "unready" };
            let leaving = if pod.is_terminating() { " leaving" } else { "" };
            format!("{} on {} {ready}{leaving}\n", stem(pod), pod.text(&["spec", "nodeName"]))
        };
        let mut lines: Vec<String> = self.list(PODS, None).iter().map(line).collect();
        lines.sort();
        lines.concat()
    }
}

/// A pod's name without its generated suffix.
pub(super) fn stem(object: &Object) -> &str {
    let generated = object.text(&["metadata", "generateName"]);
    if generated.is_empty() { object.name() } else { generated }
}

/// The storage name of an object's kind.
pub(super) fn resource_of(object: &Object) -> String {
    table::by_kind(object.api_version(), object.kind()).expect("a known kind").storage_name()
}

impl View for World {
    fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
        self.objects.get(&(resource.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Object> {
        self.listed.borrow_mut().push(resource.to_owned());
        let matches = |key: &Name| key.0 == resource && namespace.is_none_or(|namespace| key.1 == namespace);
        self.objects.iter().filter(|(key, _)| matches(key)).map(|(_, object)| object.clone()).collect()
    }

    fn owned_by(&self, uid: &str) -> Vec<Object> {
        let owned = |object: &&Object| {
            crate::owner::references(object).iter().any(|reference| reference.get("uid") == Some(&uid.into()))
        };
        self.objects.values().filter(owned).cloned().collect()
    }

    fn pods_on(&self, node: &str) -> Vec<Object> {
        let pods = self.objects.iter().filter(|(key, _)| key.0 == PODS).map(|(_, pod)| pod);
        pods.filter(|pod| pod.text(&["spec", "nodeName"]) == node).cloned().collect()
    }

    fn count_ended_pods(&self) -> usize {
        self.ended_pods().len()
    }

    fn ended_pods(&self) -> Vec<Object> {
        let pods = self.objects.iter().filter(|(key, _)| key.0 == PODS).map(|(_, pod)| pod);
        pods.filter(|pod| crate::pods::has_ended(pod)).cloned().collect()
    }

    fn slices_naming(&self, uid: &str) -> Vec<Object> {
        let targets = |slice: &Object| {
            let endpoints = slice.get(&["endpoints"]).and_then(Value::as_array).cloned().unwrap_or_default();
            endpoints.iter().any(|endpoint| endpoint.pointer("/targetRef/uid") == Some(&uid.into()))
        };
        self.list(ENDPOINT_SLICES, None).into_iter().filter(targets).collect()
    }

    fn slices_of(&self, namespace: &str, service: &str) -> Vec<Object> {
        let of = |slice: &Object| slice.text(&["metadata", "labels", SERVICE_NAME]) == service;
        self.list(ENDPOINT_SLICES, Some(namespace)).into_iter().filter(of).collect()
    }

    fn may_select(&self, pod: &Object) -> Vec<Object> {
        self.list(SERVICES, Some(pod.namespace()))
    }

    fn may_belong(
        &self,
        resource: &str,
        namespace: &str,
        uid: &str,
        selector: Option<&LabelSelector>,
    ) -> Vec<Object> {
        let of_owner = |object: &Object| {
            crate::owner::references(object).iter().any(|reference| reference.get("uid") == Some(&uid.into()))
        };
        let selected = |object: &Object| selector.is_some_and(|selector| selector.matches(object));
        let here = self.objects.iter().filter(|(key, _)| key.0 == resource && key.1 == namespace);
        let ours = here.filter(|(_, object)| of_owner(object) || selected(object));
        ours.map(|(_, object)| object.clone()).collect()
    }

    fn last_seen(&self, node: &str) -> Option<Timestamp> {
        self.seen.get(node).copied()
    }

    fn leading_since(&self) -> Timestamp {
        self.leading_since
    }

    fn refusal(&self, key: &ObjectKey) -> Option<String> {
        self.refused.get(key).cloned()
    }

    fn settings(&self) -> &ClusterSettings {
        &self.settings
    }

    fn masters(&self) -> Vec<String> {
        self.masters.clone()
    }
}

#[cfg(test)]
mod tests;
