//! Who owns what: owner references, and the claim of an owner on what its selector matches.

use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::plan::Plan;
use crate::view::View;

/// A reference for `metadata.ownerReferences` that makes `owner` the controller.
pub(crate) fn controller_reference(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// The reference of an object's controller, if it has one.
pub(crate) fn controller_of(object: &Object) -> Option<&Value> {
    let owners = object.get(&["metadata", "ownerReferences"])?.as_array()?;
    owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
}

/// The name of an object's controller, if it is of this kind.
pub(crate) fn controller_named<'a>(object: &'a Object, kind: &str) -> Option<&'a str> {
    let reference = controller_of(object)?;
    if reference.get("kind")?.as_str()? == kind { reference.get("name")?.as_str() } else { None }
}

/// The selector under `spec.selector`; `None` when it is missing, broken or empty
/// (an empty selector would claim everything in the namespace).
pub(crate) fn selector_of(owner: &Object) -> Option<LabelSelector> {
    let selector = owner.get(&["spec", "selector"])?;
    if owner.kind() == "ReplicationController" {
        // The older form: labels, and nothing else.
        let labels = LabelSelector::from_pairs(owner.text_map(&["spec", "selector"]));
        return Some(labels).filter(|labels| !labels.is_empty());
    }
    let empty = |key| match selector.get(key) {
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        _ => true,
    };
    if empty("matchLabels") && empty("matchExpressions") {
        return None;
    }
    Some(LabelSelector::from_object(selector))
}

/// What may belong to `owner` of a resource: what names it, and what its selector selects.
pub(crate) fn candidates(view: &dyn View, resource: &str, owner: &Object) -> Vec<Object> {
    view.may_belong(resource, owner.namespace(), owner.uid(), selector_of(owner).as_ref())
}

/// Of the candidates, those that belong to `owner`: what it controls and selects stays,
/// what nobody controls and it selects is adopted, what it controls and no longer selects
/// is released. An owner on its way out adopts and releases nothing.
pub(crate) fn claim(owner: &Object, candidates: Vec<Object>, plan: &mut Plan) -> Vec<Object> {
    let selector = selector_of(owner);
    let selects = |object: &Object| selector.as_ref().is_some_and(|selector| selector.matches(object));
    let mut claimed = Vec::new();
    for candidate in candidates {
        let selected = selects(&candidate);
        match candidate.controller_uid() {
            Some(uid) if uid != owner.uid() => {}
            Some(_) if selected || owner.is_terminating() => claimed.push(candidate),
            Some(_) => plan.update(&candidate, released(candidate.clone(), owner.uid())),
            None if selected && !owner.is_terminating() && !candidate.is_terminating() => {
                let adopted = adopted(candidate.clone(), owner);
                plan.update(&candidate, adopted.clone());
                claimed.push(adopted);
            }
            None => {}
        }
    }
    claimed
}

fn adopted(mut object: Object, owner: &Object) -> Object {
    let mut owners = references(&object);
    owners.retain(|reference| reference.get("uid").and_then(Value::as_str) != Some(owner.uid()));
    owners.push(controller_reference(owner));
    object.set(&["metadata", "ownerReferences"], owners);
    object
}

/// The object without its reference to an owner.
pub(crate) fn released(mut object: Object, owner_uid: &str) -> Object {
    let mut owners = references(&object);
    owners.retain(|reference| reference.get("uid").and_then(Value::as_str) != Some(owner_uid));
    if owners.is_empty() {
        object.remove(&["metadata", "ownerReferences"]);
    } else {
        object.set(&["metadata", "ownerReferences"], owners);
    }
    object
}

/// Every owner reference of an object.
pub(crate) fn references(object: &Object) -> Vec<Value> {
    object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array).cloned().unwrap_or_default()
}
