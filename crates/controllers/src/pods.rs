//! What pods are to their controllers: active, ready, available, made from a template.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use xebec_api::object::Object;
pub(crate) use xebec_api::pod::{is_active, is_ready, is_terminal as has_ended, restart_count as restarts};

use crate::conditions;
use crate::hash::{Fnv, suffix};
use crate::owner::controller_reference;

/// Since when a ready pod is ready.
pub(crate) fn ready_since(pod: &Object) -> Option<Timestamp> {
    if !is_ready(pod) {
        return None;
    }
    conditions::find(pod, "Ready")?.get("lastTransitionTime")?.as_str()?.parse().ok()
}

/// How long until a ready pod has been ready for `min_ready`: nothing when it has, and
/// `None` when it is not ready at all.
pub(crate) fn until_available(pod: &Object, min_ready: Duration, now: Timestamp) -> Option<Duration> {
    if !is_ready(pod) {
        return None;
    }
    if min_ready.is_zero() {
        return Some(Duration::ZERO);
    }
    let ready = Duration::try_from(now.duration_since(ready_since(pod)?)).unwrap_or_default();
    Some(min_ready.saturating_sub(ready))
}

/// The pod that `owner` makes from its template: `OWNER-xxxxx`, told apart by `salt`.
pub(crate) fn from_template(owner: &Object, now: Timestamp, salt: usize) -> Object {
    let mut pod = template_object(owner);
    let mut hash = Fnv::default();
    hash.write(owner.uid().as_bytes());
    hash.write(&now.as_nanosecond().to_be_bytes());
    hash.write(&salt.to_be_bytes());
    let stem: String = owner.name().chars().take(57).collect();
    pod.set(&["metadata", "name"], format!("{stem}-{}", suffix(hash.finish(), 5)));
    pod.set(&["metadata", "namespace"], owner.namespace());
    pod.set(&["metadata", "generateName"], format!("{stem}-"));
    pod.set(&["metadata", "ownerReferences"], json!([controller_reference(owner)]));
    pod
}

/// The template under `spec.template` as if it were a pod.
pub(crate) fn template_object(owner: &Object) -> Object {
    let mut pod = Object::default();
    pod.set(&["apiVersion"], "v1");
    pod.set(&["kind"], "Pod");
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = owner.get(&["spec", "template", "metadata", field]) {
            pod.set(&["metadata", field], value.clone());
        }
    }
    pod.set(&["spec"], owner.get(&["spec", "template", "spec"]).cloned().unwrap_or_else(|| json!({})));
    pod
}
