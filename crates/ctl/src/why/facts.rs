//! What is known when a question is answered: objects as the API gave them, at one time.
//!
//! A kind that could not be had, for want of rights, is unknown: then nothing may be
//! concluded from an object's absence.

use std::collections::BTreeMap;

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::node_name;
use xebec_api::selector::LabelSelector;

use crate::seen;

/// One run of a container, whose last words are wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogOf {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// The pod's, which its name may have passed on from.
    pub(crate) uid: String,
    pub(crate) container: String,
    /// Of the run before the present one.
    pub(crate) previous: bool,
}

/// See the module.
pub(crate) struct Facts {
    /// Unix seconds.
    pub(crate) now: i64,
    objects: BTreeMap<&'static str, Vec<Object>>,
    logs: BTreeMap<LogOf, Vec<String>>,
}

impl Facts {
    /// Nothing is known yet.
    pub(crate) fn new(now: i64) -> Self {
        Self { now, objects: BTreeMap::new(), logs: BTreeMap::new() }
    }

    /// These are all objects of a kind that matter; what was known of it before goes.
    pub(crate) fn learn(&mut self, kind: &'static str, objects: Vec<Object>) {
        self.objects.insert(kind, objects);
    }

    /// Objects of this kind are not all known after all.
    pub(crate) fn forget(&mut self, kind: &str) {
        self.objects.remove(kind);
    }

    /// What a container printed last.
    pub(crate) fn hear(&mut self, of: LogOf, lines: Vec<String>) {
        self.logs.insert(of, lines);
    }

    /// Every object of a kind.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.objects.get(kind).into_iter().flatten()
    }

    /// Whether objects of a kind can be seen, so that one that is not there is missing.
    pub(crate) fn knows(&self, kind: &str) -> bool {
        self.objects.contains_key(kind)
    }

    /// Every object of a kind in a namespace.
    pub(crate) fn within(&self, kind: &str, namespace: &str) -> Vec<&Object> {
        self.all(kind).filter(|object| object.namespace() == namespace).collect()
    }

    /// One object.
    pub(crate) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.all(kind).find(|object| object.name() == name && object.namespace() == namespace)
    }

    /// It is certainly not there.
    pub(crate) fn lacks(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.knows(kind) && self.find(kind, namespace, name).is_none()
    }

    /// The pods of a namespace that a selector matches.
    pub(crate) fn pods_selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<&Object> {
        let mut pods = self.within("Pod", namespace);
        pods.retain(|pod| selector.matches(pod));
        pods
    }

    /// Objects of a kind whose controller is this one.
    pub(crate) fn owned(&self, kind: &str, owner: &Object) -> Vec<&Object> {
        self.all(kind).filter(|object| object.controller_uid() == Some(owner.uid())).collect()
    }

    /// The pods that are bound to a node.
    pub(crate) fn pods_on(&self, node: &str) -> Vec<Object> {
        self.all("Pod").filter(|pod| node_name(pod) == Some(node)).cloned().collect()
    }

    /// What was told of an object with this reason, the newest.
    pub(crate) fn last_event(&self, object: &Object, reason: &str) -> Option<&Object> {
        let events = self.events(object).filter(|event| event.text(&["reason"]) == reason);
        events.max_by_key(|event| seen::last(event))
    }

    /// The newest warning of any reason.
    pub(crate) fn last_warning(&self, object: &Object) -> Option<&Object> {
        let warnings = self.events(object).filter(|event| event.text(&["type"]) == "Warning");
        warnings.max_by_key(|event| seen::last(event))
    }

    /// What was told of an object, but not of a namesake before it. Agents name a node by its name.
    pub(crate) fn events(&self, object: &Object) -> impl Iterator<Item = &Object> {
        self.all("Event").filter(move |event| {
            let of = |field: &str| event.text(&["involvedObject", field]);
            of("kind") == object.kind()
                && of("name") == object.name()
                && (object.namespace().is_empty() || of("namespace") == object.namespace())
                && (of("uid").is_empty() || of("uid") == object.uid() || of("uid") == object.name())
        })
    }

    /// The last lines of a container's run, if they are known.
    pub(crate) fn log(&self, of: &LogOf) -> Option<&[String]> {
        self.logs.get(of).map(Vec::as_slice)
    }
}

/// How often an event happened.
pub(crate) fn times(event: &Object) -> i64 {
    let paths: [&[&str]; 2] = [&["series", "count"], &["count"]];
    paths.into_iter().find_map(|path| event.get(path)).and_then(Value::as_i64).unwrap_or(1)
}
