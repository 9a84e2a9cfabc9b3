//! The ReplicaSet of a pod template: its name, labels, selector and annotations.

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::well_known::REVISION;

use crate::hash::{Fnv, suffix};
use crate::owner::controller_reference;

pub(super) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
pub(super) const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// The label that keeps the pods of one template apart from those of another.
pub(super) const HASH: &str = "pod-template-hash";
pub(super) const HASH_LABEL: [&str; 3] = ["metadata", "labels", HASH];

/// Annotations of a Deployment that its ReplicaSets do not take over.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MOST,
];

/// The template of a Deployment or a ReplicaSet without the hash label, for comparing.
fn bare(owner: &Object) -> Value {
    let mut template = owner.get(&["spec", "template"]).cloned().unwrap_or_default();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    prune(&mut template);
    template
}

/// Drops what says nothing, so that an absent field equals an empty one.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune);
            map.retain(|key, value| !(value.is_null() || key == "creationTimestamp"));
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Whether a ReplicaSet is of the Deployment's current template.
pub(super) fn is_same(deployment: &Object, set: &Object) -> bool {
    bare(deployment) == bare(set)
}

/// The hash of the current template, told apart from others by the collision count.
pub(super) fn hash(deployment: &Object) -> String {
    let mut hash = Fnv::default();
    hash.write(bare(deployment).to_string().as_bytes());
    if let Some(count) = deployment.get(&["status", "collisionCount"]).and_then(Value::as_i64) {
        hash.write(&count.to_be_bytes());
    }
    suffix(hash.finish(), 10)
}

/// The ReplicaSet of the current template, as yet without replicas.
pub(super) fn make(deployment: &Object, hash: &str, revision: i64) -> Object {
    let mut template = deployment.get(&["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    let mut labels = template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    labels[HASH] = hash.into();
    let mut selector = deployment.get(&["spec", "selector"]).cloned().unwrap_or_else(|| json!({}));
    selector["matchLabels"][HASH] = hash.into();
    template["metadata"]["labels"] = labels.clone();
    let mut set = Object::default();
    set.set(&["apiVersion"], "apps/v1");
    set.set(&["kind"], "ReplicaSet");
    set.set(&["metadata", "name"], name(deployment, hash));
    set.set(&["metadata", "namespace"], deployment.namespace());
    set.set(&["metadata", "labels"], labels);
    set.set(&["metadata", "ownerReferences"], json!([controller_reference(deployment)]));
    set.set(&["spec"], json!({"replicas": 0, "selector": selector, "template": template}));
    copy_settings(deployment, &mut set);
    set.set(&["metadata", "annotations", REVISION], revision.to_string());
    set
}

/// The name of the ReplicaSet with this hash.
pub(super) fn name(deployment: &Object, hash: &str) -> String {
    let stem: String = deployment.name().chars().take(253 - 1 - hash.len()).collect();
    format!("{stem}-{hash}")
}

/// What a ReplicaSet of the current template takes over whenever it changes.
pub(super) fn copy_settings(deployment: &Object, set: &mut Object) {
    match deployment.get(&["spec", "minReadySeconds"]) {
        Some(seconds) => set.set(&["spec", "minReadySeconds"], seconds.clone()),
        None => drop(set.remove(&["spec", "minReadySeconds"])),
    }
    for (key, value) in deployment.annotations().filter(|(key, _)| !OWN.contains(key)) {
        set.set(&["metadata", "annotations", key], value);
    }
}

/// The revision that a ReplicaSet carries.
pub(super) fn revision(set: &Object) -> i64 {
    set.annotation(REVISION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Gives a ReplicaSet that is current again a new revision; the old one is remembered.
pub(super) fn raise_revision(set: &mut Object, revision: i64) {
    let old = set.annotation(REVISION).unwrap_or_default().to_owned();
    if !old.is_empty() {
        let history = match set.annotation(REVISION_HISTORY) {
            None | Some("") => old,
            Some(history) => format!("{history},{old}"),
        };
        set.set(&["metadata", "annotations", REVISION_HISTORY], history);
    }
    set.set(&["metadata", "annotations", REVISION], revision.to_string());
}
