//! What became of an owner that a reference names.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::table;

use super::waits;
use crate::view::View;

/// What became of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// It is there (or of a kind that is not known here, which is no reason to delete).
    Lives,
    /// It is on its way out and waits for its dependents.
    WaitsForDependents,
    /// It is gone, or another object has its name.
    Gone,
    /// The reference says nothing: an object without a namespace names an owner of a kind that has
    /// them, and there is no telling in which to look. No reason to delete.
    Unknowable,
}

/// What became of the owner that `reference`, in `dependent`, names.
pub(super) fn state(view: &dyn View, dependent: &Object, reference: &Value) -> OwnerState {
    let text = |key| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    let Some((resource, namespaced)) = resource_of_reference(reference) else { return OwnerState::Lives };
    if namespaced && dependent.namespace().is_empty() {
        return OwnerState::Unknowable;
    }
    let namespace = if namespaced { dependent.namespace() } else { "" };
    match view.get(&resource, namespace, text("name")) {
        Some(owner) if owner.uid() != text("uid") => OwnerState::Gone,
        Some(owner) if waits(&owner) => OwnerState::WaitsForDependents,
        Some(_) => OwnerState::Lives,
        None => OwnerState::Gone,
    }
}

/// The storage name of the kind that a reference names, and whether it has namespaces.
pub(super) fn resource_of_reference(reference: &Value) -> Option<(String, bool)> {
    let text = |key| reference.get(key).and_then(Value::as_str).unwrap_or_default();
    resource_of_kind(text("apiVersion"), text("kind"))
}

/// The storage name of an object's kind.
pub(super) fn resource_of(object: &Object) -> Option<String> {
    resource_of_kind(object.api_version(), object.kind()).map(|(resource, _)| resource)
}

fn resource_of_kind(api_version: &str, kind: &str) -> Option<(String, bool)> {
    let row = table::by_kind(api_version, kind)?;
    Some((row.storage_name(), row.namespaced))
}
