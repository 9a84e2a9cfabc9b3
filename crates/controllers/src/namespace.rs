//! Namespace: empties a namespace that is on its way out, then lets it go by taking the
//! finalizer `kubernetes` out of its spec.

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::table;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::NAMESPACES;
use crate::view::View;

const FINALIZER: &str = "kubernetes";

/// See the module.
pub(crate) struct Namespace;

impl Controller for Namespace {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let name = if resource == NAMESPACES { object.name() } else { object.namespace() };
        let leaving = view.get(NAMESPACES, "", name).is_some_and(|namespace| namespace.is_terminating());
        if leaving { vec![ObjectKey::new(NAMESPACES, "", name)] } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, _now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let namespace = view.get(NAMESPACES, "", &key.name);
        if let Some(namespace) = namespace.filter(Object::is_terminating) {
            sync(view, &namespace, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let mut namespaces = view.list(NAMESPACES, None);
        namespaces.retain(Object::is_terminating);
        namespaces.iter().map(|namespace| ObjectKey::of(NAMESPACES, namespace)).collect()
    }
}

/// Deletes everything that is in it; what has finalizers or a grace is waited for, and
/// its end comes back as an event. An Event is never waited for: deleting things makes some.
fn sync(view: &dyn View, namespace: &Object, plan: &mut Plan) {
    let mut left = 0;
    for row in table::all().iter().filter(|row| row.namespaced) {
        let resource = row.storage_name();
        for object in view.list(&resource, Some(namespace.name())) {
            let waits = object.is_terminating() || keeps(&object) || row.plural == "pods";
            left += usize::from(waits);
            plan.delete(&resource, &object);
        }
    }
    let finalizers = namespace.get(&["spec", "finalizers"]).and_then(Value::as_array);
    let ours = |finalizer: &Value| finalizer.as_str() == Some(FINALIZER);
    if let Some(finalizers) = finalizers.filter(|list| left == 0 && list.iter().any(ours)) {
        let others: Vec<Value> = finalizers.iter().filter(|finalizer| !ours(finalizer)).cloned().collect();
        let mut free = namespace.clone();
        free.set(&["spec", "finalizers"], json!(others));
        plan.actions.push(crate::plan::Action::UpdateSubresource("finalize", free));
    }
}

/// Whether an object outlives its deletion for a while.
fn keeps(object: &Object) -> bool {
    let finalizers = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
    finalizers.is_some_and(|list| !list.is_empty())
}

#[cfg(test)]
mod tests;
