//! Garbage collection by owner references (matched by uid).
//!
//! Background: an object goes once all its owners are gone. Foreground: an owner with the
//! finalizer `foregroundDeletion` waits until the dependents that block it are gone.
//! Orphan: an owner with the finalizer `orphan` first lets its dependents go free.
//! Owners in a circle would wait for each other for good: the one that closes it is not waited for.
//!
//! An owner that has a namespace owns only what lies in the same one. An object without a namespace
//! that names such an owner is left alone, and told so by an event.

mod owners;

use jiff::Timestamp;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::table;

use crate::controller::{Controller, ObjectKey};
use crate::owner::{references, released};
use crate::plan::Plan;
use crate::view::View;

use owners::{OwnerState, resource_of, resource_of_reference};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
const COMPONENT: &str = "garbage-collector-controller";

/// See the module.
pub(crate) struct GarbageCollector;

impl Controller for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    /// An object that has owners is looked at itself; one that is gone or leaving has its
    /// dependents looked at, and the owners that wait for it.
    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let stored = view.get(resource, object.namespace(), object.name());
        let gone = stored.is_none_or(|stored| stored.uid() != object.uid());
        let mut keys = Vec::new();
        if !gone && (object.is_terminating() || !references(object).is_empty()) {
            keys.push(ObjectKey::of(resource, object));
        }
        if gone || object.is_terminating() {
            keys.extend(view.owned_by(object.uid()).iter().filter_map(key_of));
        }
        if gone || references(object).iter().any(|reference| !is_waited_for(reference)) {
            keys.extend(waiting_owners(view, object));
        }
        keys
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        if let Some(object) = view.get(&key.resource, &key.namespace, &key.name) {
            if object.is_terminating() {
                leave(view, &object, &mut plan);
            } else {
                collect(view, &key.resource, &object, &mut plan);
            }
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let mut keys = Vec::new();
        for resource in table::all().iter().map(xebec_api::resource::Resource::storage_name) {
            let mut objects = view.list(&resource, None);
            objects.retain(|object| object.is_terminating() || !references(object).is_empty());
            keys.extend(objects.iter().map(|object| ObjectKey::of(&resource, object)));
        }
        keys
    }
}

fn key_of(object: &Object) -> Option<ObjectKey> {
    Some(ObjectKey::of(&resource_of(object)?, object))
}

fn waiting_owners(view: &dyn View, object: &Object) -> Vec<ObjectKey> {
    let owners = references(object);
    let keys = owners.iter().filter_map(|reference| {
        let (resource, namespaced) = resource_of_reference(reference)?;
        let namespace = if namespaced { object.namespace() } else { "" };
        let owner = view.get(&resource, namespace, reference.get("name")?.as_str()?)?;
        has_finalizer(&owner, FOREGROUND).then(|| ObjectKey::of(&resource, &owner))
    });
    keys.collect()
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    let list = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
    list.is_some_and(|list| list.iter().any(|entry| entry.as_str() == Some(finalizer)))
}

fn without_finalizer(mut object: Object, finalizer: &str) -> Object {
    let list = object.get(&["metadata", "finalizers"]).and_then(Value::as_array).cloned();
    let mut list = list.unwrap_or_default();
    list.retain(|entry| entry.as_str() != Some(finalizer));
    if list.is_empty() {
        object.remove(&["metadata", "finalizers"]);
    } else {
        object.set(&["metadata", "finalizers"], list);
    }
    object
}

/// An object that lives: it goes when none of its owners does, and it is told of owners
/// that are gone while others remain.
fn collect(view: &dyn View, resource: &str, object: &Object, plan: &mut Plan) {
    let references = references(object);
    if references.is_empty() {
        return;
    }
    let states: Vec<OwnerState> =
        references.iter().map(|reference| owners::state(view, object, reference)).collect();
    for (reference, _) in
        references.iter().zip(&states).filter(|(_, state)| **state == OwnerState::Unknowable)
    {
        tell_unknowable(view, object, reference, plan);
    }
    let stays = |state: &OwnerState| matches!(state, OwnerState::Lives | OwnerState::Unknowable);
    if states.iter().any(stays) {
        let mut kept = object.clone();
        for (reference, state) in references.iter().zip(&states) {
            if !stays(state) {
                kept = released(kept, reference.get("uid").and_then(Value::as_str).unwrap_or_default());
            }
        }
        plan.update(object, kept);
    } else if states.contains(&OwnerState::WaitsForDependents) && has_dependents(view, object) {
        // Its owner waits in the foreground, so it does the same for its own dependents.
        if view.owned_by(object.uid()).iter().any(waits) {
            plan.update(object, not_waited_for(object.clone()));
        }
        plan.delete_in_foreground(resource, object);
    } else {
        plan.delete(resource, object);
    }
}

fn tell_unknowable(view: &dyn View, object: &Object, reference: &Value, plan: &mut Plan) {
    let text = |key| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = format!(
        "ownerRef [{}/{}, name: {}, uid: {}] names an owner that has a namespace, which this object has not: it owns nothing here",
        text("apiVersion"),
        text("kind"),
        text("name"),
        text("uid")
    );
    plan.warn_once(view, COMPONENT, object, "OwnerRefInvalidNamespace", message);
}

fn has_dependents(view: &dyn View, object: &Object) -> bool {
    let dependents = view.owned_by(object.uid());
    dependents.iter().any(|dependent| blocks(dependent, object))
}

/// Whether a dependent must be gone before its owner may go: not where it lies out of its reach.
fn blocks(dependent: &Object, owner: &Object) -> bool {
    let within_reach = owner.namespace().is_empty() || owner.namespace() == dependent.namespace();
    within_reach
        && references(dependent).iter().any(|reference| {
            let ours = reference.get("uid").and_then(Value::as_str) == Some(owner.uid());
            ours && is_waited_for(reference)
        })
}

/// Whether the owner that a reference names waits for who has it.
fn is_waited_for(reference: &Value) -> bool {
    reference.get("blockOwnerDeletion") == Some(&Value::Bool(true))
}

/// Whether an object is on its way out and waits for its dependents.
fn waits(object: &Object) -> bool {
    object.is_terminating() && has_finalizer(object, FOREGROUND)
}

/// The object, its owners no longer waiting for it.
fn not_waited_for(mut object: Object) -> Object {
    let mut owners = references(&object);
    owners.iter_mut().for_each(|reference| reference["blockOwnerDeletion"] = Value::Bool(false));
    object.set(&["metadata", "ownerReferences"], owners);
    object
}

/// An object on its way out: sets its dependents free, or waits for those that block it.
/// The dependents are deleted when they are looked at themselves.
fn leave(view: &dyn View, object: &Object, plan: &mut Plan) {
    let dependents = view.owned_by(object.uid());
    if has_finalizer(object, ORPHAN) {
        for dependent in &dependents {
            plan.update(dependent, released(dependent.clone(), object.uid()));
        }
        plan.update(object, without_finalizer(object.clone(), ORPHAN));
    } else if has_finalizer(object, FOREGROUND)
        && !dependents.iter().any(|dependent| blocks(dependent, object))
    {
        plan.update(object, without_finalizer(object.clone(), FOREGROUND));
    }
}

#[cfg(test)]
mod tests;
