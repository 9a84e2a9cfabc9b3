//! What may change in a pod that stands: its images, its deadline, and more tolerations.

use serde_json::{Map, Value};

use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;

const FORBIDDEN: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// What a pod was given after its creation, and an updater who sends the manifest again
/// leaves out.
pub(super) fn carry_over(new: &mut Object, old: &Object) {
    for field in [
        "nodeName",
        "serviceAccountName",
        "serviceAccount",
        "priority",
        "priorityClassName",
        "preemptionPolicy",
    ] {
        if let (None, Some(value)) = (new.get(&["spec", field]), old.get(&["spec", field])) {
            let value = value.clone();
            new.set(&["spec", field], value);
        }
    }
}

/// Every broken rule of a change.
pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = At::field(new, "spec");
    for lists in ["containers", "initContainers"] {
        let count = |object| list(object, &["spec", lists]).count();
        if count(new) != count(old) {
            errors.push(spec.forbidden(&format!("pod updates may not add or remove {lists}")));
            return errors;
        }
    }
    deadline(&spec, &At::field(old, "spec"), &mut errors);
    let (kept_new, kept_old) = (fixed(new), fixed(old));
    if kept_new != kept_old {
        let changed = changed_fields(&kept_new, &kept_old).join(", ");
        errors.push(spec.forbidden(&format!("{FORBIDDEN}; changed: {changed}")));
    }
    if list(old, &["spec", "tolerations"]).any(|old| !list(new, &["spec", "tolerations"]).any(|t| t == old)) {
        errors.push(
            spec.key("tolerations")
                .forbidden("existing toleration can not be modified except its tolerationSeconds"),
        );
    }
    errors
}

fn deadline(new: &At<'_>, old: &At<'_>, errors: &mut Vec<FieldError>) {
    let (new, old) = (new.key("activeDeadlineSeconds"), old.key("activeDeadlineSeconds"));
    let Some(before) = old.int() else { return };
    if new.int().is_none_or(|after| after > before) {
        errors.push(new.invalid(&format!("must be less than or equal to previous value {before}")));
    }
}

/// The spec without what may change.
fn fixed(pod: &Object) -> Map<String, Value> {
    let mut spec = pod.get(&["spec"]).and_then(Value::as_object).cloned().unwrap_or_default();
    for field in ["activeDeadlineSeconds", "tolerations"] {
        spec.remove(field);
    }
    for lists in ["containers", "initContainers"] {
        let list = spec.get_mut(lists).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten().filter_map(Value::as_object_mut) {
            container.remove("image");
            // Follows the image's tag when it is defaulted.
            container.remove("imagePullPolicy");
        }
    }
    spec
}

fn changed_fields(new: &Map<String, Value>, old: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<&String> = new.keys().chain(old.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| new.get(*name) != old.get(*name));
    changed.map(|name| format!("spec.{name}")).collect()
}
