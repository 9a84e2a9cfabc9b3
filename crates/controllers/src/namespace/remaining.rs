//! What a namespace that is on its way out still waits for, as its conditions tell it: in
//! Kubernetes' words, which people and programs search for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use super::finalizers;
use crate::conditions::{self, Condition};

/// What nothing can go wrong with here: every kind is known, and what is not deleted is tried again.
const FINE: [(&str, &str, &str); 3] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
];

/// How many objects are left, by kind, and by the finalizers that keep them.
#[derive(Default)]
pub(super) struct Remaining {
    pub(super) objects: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
}

impl Remaining {
    /// Counts one that is left.
    pub(super) fn count(&mut self, row: &Resource, object: &Object) {
        *self.objects.entry(format!("{}.{}", row.plural, row.group)).or_default() += 1;
        for finalizer in finalizers(object) {
            *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }

    /// Writes the conditions.
    pub(super) fn tell(&self, namespace: &mut Object, now: Timestamp) {
        for (kind, reason, message) in FINE {
            let message = message.to_owned();
            conditions::replace(namespace, &Condition { kind, status: "False", reason, message }, now);
        }
        let objects = listed(&self.objects, "has");
        let content = if objects.is_empty() {
            no("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed")
        } else {
            let message = format!("Some resources are remaining: {objects}");
            yes("NamespaceContentRemaining", "SomeResourcesRemain", message)
        };
        conditions::replace(namespace, &content, now);
        let finalizers = listed(&self.finalizers, "in");
        let kept = if finalizers.is_empty() {
            let message = "All content-preserving finalizers finished";
            no("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", message)
        } else {
            let message = format!("Some content in the namespace has finalizers remaining: {finalizers}");
            yes("NamespaceFinalizersRemaining", "SomeFinalizersRemain", message)
        };
        conditions::replace(namespace, &kept, now);
    }
}

fn listed(counts: &BTreeMap<String, usize>, word: &str) -> String {
    let each = counts.iter().map(|(what, count)| format!("{what} {word} {count} resource instances"));
    each.collect::<Vec<_>>().join(", ")
}

fn yes(kind: &'static str, reason: &'static str, message: String) -> Condition<'static> {
    Condition { kind, status: "True", reason, message }
}

fn no(kind: &'static str, reason: &'static str, message: &str) -> Condition<'static> {
    Condition { kind, status: "False", reason, message: message.to_owned() }
}
