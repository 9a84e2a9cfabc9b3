//! Namespace: empties a namespace that is on its way out, then lets it go by taking the
//! finalizer `kubernetes` out of its spec. Meanwhile its conditions say what it waits for.

mod remaining;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;

use crate::controller::{Controller, ObjectKey};
use crate::plan::Plan;
use crate::resources::{NAMESPACES, PODS};
use crate::view::View;

use remaining::Remaining;

const FINALIZER: &str = "kubernetes";

/// See the module.
pub(crate) struct Namespace;

impl Controller for Namespace {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey> {
        let name = if resource == NAMESPACES { object.name() } else { object.namespace() };
        if is_leaving(view, name) { vec![ObjectKey::new(NAMESPACES, "", name)] } else { Vec::new() }
    }

    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan {
        let mut plan = Plan::nothing();
        let namespace = view.get(NAMESPACES, "", &key.name);
        if let Some(namespace) = namespace.filter(Object::is_terminating) {
            sync(view, &namespace, now, &mut plan);
        }
        plan
    }

    fn initial(&self, view: &dyn View) -> Vec<ObjectKey> {
        let mut namespaces = view.list(NAMESPACES, None);
        namespaces.retain(Object::is_terminating);
        namespaces.iter().map(|namespace| ObjectKey::of(NAMESPACES, namespace)).collect()
    }
}

/// Whether a namespace is on its way out: nothing can be made in it any more.
pub(crate) fn is_leaving(view: &dyn View, namespace: &str) -> bool {
    view.get(NAMESPACES, "", namespace).is_some_and(|namespace| namespace.is_terminating())
}

/// One write to the namespace per reconcile: what it still waits for, or its end.
fn sync(view: &dyn View, namespace: &Object, now: Timestamp, plan: &mut Plan) {
    let remaining = empty(view, namespace, plan);
    let finalizers = namespace.get(&["spec", "finalizers"]).and_then(Value::as_array);
    let ours = |finalizer: &Value| finalizer.as_str() == Some(FINALIZER);
    if let Some(finalizers) = finalizers.filter(|list| remaining.objects.is_empty() && list.iter().any(ours))
    {
        let others: Vec<Value> = finalizers.iter().filter(|finalizer| !ours(finalizer)).cloned().collect();
        let mut free = namespace.clone();
        free.set(&["spec", "finalizers"], json!(others));
        plan.actions.push(crate::plan::Action::UpdateSubresource("finalize", free));
    } else {
        let mut told = namespace.clone();
        remaining.tell(&mut told, now);
        plan.update_status(namespace, told);
    }
}

/// Deletes what is in it, pods before everything else: until they have ended they need their
/// secrets, rights and Services. What has finalizers or a grace is waited for, and its end
/// comes back as an event. An Event is never waited for: deleting things makes some.
fn empty(view: &dyn View, namespace: &Object, plan: &mut Plan) -> Remaining {
    let mut remaining = Remaining::default();
    let (pods, others): (Vec<&Resource>, Vec<&Resource>) =
        table::all().iter().filter(|row| row.namespaced).partition(|row| row.storage_name() == PODS);
    for rows in [pods, others] {
        for row in rows {
            empty_of(row, view, namespace, &mut remaining, plan);
        }
        if !remaining.objects.is_empty() {
            break;
        }
    }
    remaining
}

fn empty_of(row: &Resource, view: &dyn View, namespace: &Object, remaining: &mut Remaining, plan: &mut Plan) {
    let resource = row.storage_name();
    for object in view.list(&resource, Some(namespace.name())) {
        if object.is_terminating() || !finalizers(&object).is_empty() || resource == PODS {
            remaining.count(row, &object);
        }
        plan.delete(&resource, &object);
    }
}

fn finalizers(object: &Object) -> Vec<&str> {
    let list = object.get(&["metadata", "finalizers"]).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests;
