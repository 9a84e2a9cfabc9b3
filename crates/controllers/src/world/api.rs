//! What the API server does with a plan: resourceVersions, generations, finalizers, grace.

use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::table;

use super::{Name, World, resource_of, stem};
use crate::conditions::rfc3339;
use crate::plan::{Action, Plan};
use crate::pods;
use crate::view::View;

impl World {
    /// Carries a plan out, up to the first create that is refused.
    pub(crate) fn apply(&mut self, plan: &Plan) -> Result<(), String> {
        for action in &plan.actions {
            match action {
                Action::Create(object) => {
                    if let Some(why) = self.refuses.clone() {
                        return Err(why);
                    }
                    self.note("create", object, "");
                    self.create(object);
                }
                Action::Update(object) => {
                    self.note("update", object, "");
                    self.check_version(object);
                    self.replace(&resource_of(object), object);
                }
                Action::UpdateSubresource(part, object) => {
                    self.note(part, object, "");
                    self.check_version(object);
                    self.replace_part(part, object);
                }
                Action::Delete { resource, namespace, name, uid, grace_seconds, foreground } => {
                    let stored = self.get(resource, namespace, name).expect("it exists");
                    assert_eq!(stored.uid(), uid);
                    let grace = grace_seconds.map(|grace| format!(" within {grace}")).unwrap_or_default();
                    let order = if *foreground { " after its dependents" } else { "" };
                    self.note("delete", &stored, &format!("{grace}{order}"));
                    let finalizer = foreground.then_some("foregroundDeletion");
                    self.delete_by(resource, namespace, name, *grace_seconds, finalizer);
                }
                Action::Record(event) => {
                    let kind = event.kind.as_str();
                    let line =
                        format!("  {kind} {}/{}: {}", event.involved.kind, event.involved.name, event.reason);
                    self.log.push(line);
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, verb: &str, object: &Object, more: &str) {
        let replicas = object.get(&["spec", "replicas"]).filter(|_| object.kind() == "ReplicaSet");
        let replicas = replicas.map(|replicas| format!(" to {replicas}")).unwrap_or_default();
        self.log.push(format!("{verb} {} {}{replicas}{more}", object.kind(), stem(object)));
    }

    fn check_version(&self, object: &Object) {
        let stored = self.get(&resource_of(object), object.namespace(), object.name()).expect("it exists");
        assert_eq!(stored.resource_version(), object.resource_version(), "conflict on {}", object.name());
    }

    pub(super) fn create(&mut self, object: &Object) -> Name {
        let key = (resource_of(object), object.namespace().to_owned(), object.name().to_owned());
        assert!(!self.objects.contains_key(&key), "{key:?} exists already");
        let mut object = object.clone();
        let row = table::by_kind(object.api_version(), object.kind()).expect("a known kind");
        row.strategy.prepare_create(&mut object);
        row.strategy.default_fields(&mut object);
        self.revision += 1;
        object.set(&["metadata", "uid"], format!("uid-{}", self.revision));
        object.set(&["metadata", "generation"], 1);
        object.set(&["metadata", "creationTimestamp"], rfc3339(self.now));
        object.set(&["metadata", "resourceVersion"], self.revision.to_string());
        self.changes.push((key.0.clone(), object.clone()));
        self.objects.insert(key.clone(), object);
        key
    }

    pub(super) fn replace(&mut self, resource: &str, object: &Object) {
        let key = (resource.to_owned(), object.namespace().to_owned(), object.name().to_owned());
        let old = &self.objects[&key];
        let mut new = object.clone();
        let row = table::by_storage_name(resource).expect("a known kind");
        row.strategy.prepare_update(&mut new, old);
        row.strategy.default_fields(&mut new);
        let _ = new.remove(&["status"]);
        if let Some(status) = old.get(&["status"]) {
            new.set(&["status"], status.clone());
        }
        if old.get(&["spec"]) != new.get(&["spec"]) {
            new.set(&["metadata", "generation"], old.generation() + 1);
        }
        self.store(key, new);
    }

    fn replace_part(&mut self, part: &str, object: &Object) {
        let key = (resource_of(object), object.namespace().to_owned(), object.name().to_owned());
        let mut new = self.objects[&key].clone();
        let path: &[&str] = if part == "finalize" { &["spec", "finalizers"] } else { &["status"] };
        new.set(path, object.get(path).cloned().unwrap_or_default());
        self.store(key, new);
    }

    /// Stores it, or drops it when nothing keeps it any longer.
    fn store(&mut self, key: Name, mut object: Object) {
        self.revision += 1;
        object.set(&["metadata", "resourceVersion"], self.revision.to_string());
        self.changes.push((key.0.clone(), object.clone()));
        let pod_runs = object.kind() == "Pod" && !pods::has_ended(&object);
        if object.is_terminating() && !is_kept(&object) && !pod_runs {
            self.objects.remove(&key);
        } else {
            self.objects.insert(key, object);
        }
    }

    pub(crate) fn delete(&mut self, resource: &str, namespace: &str, name: &str, grace: Option<u32>) {
        self.delete_by(resource, namespace, name, grace, None);
    }

    /// Deletes by a propagation: by the finalizer that it leaves, and that alone.
    pub(crate) fn delete_by(
        &mut self,
        resource: &str,
        namespace: &str,
        name: &str,
        grace: Option<u32>,
        finalizer: Option<&str>,
    ) {
        let mut object = self.get(resource, namespace, name).expect("it exists");
        if finalizer.is_some() || !object.is_terminating() {
            propagate(&mut object, finalizer);
        }
        let runs = object.kind() == "Pod" && !object.text(&["spec", "nodeName"]).is_empty();
        let waits = is_kept(&object) || (runs && !pods::has_ended(&object) && grace != Some(0));
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        if !waits {
            self.changes.push((key.0.clone(), object));
            self.objects.remove(&key);
        } else if !object.is_terminating() {
            object.set(&["metadata", "deletionTimestamp"], rfc3339(self.now));
            self.store(key, object);
        }
    }
}

fn propagate(object: &mut Object, finalizer: Option<&str>) {
    let list = object.get(&["metadata", "finalizers"]).and_then(Value::as_array).cloned();
    let mut list = list.unwrap_or_default();
    list.retain(|entry| !matches!(entry.as_str(), Some("foregroundDeletion" | "orphan")));
    list.extend(finalizer.map(Value::from));
    if list.is_empty() {
        object.remove(&["metadata", "finalizers"]);
    } else {
        object.set(&["metadata", "finalizers"], list);
    }
}

fn is_kept(object: &Object) -> bool {
    let list =
        |path: &[&str]| object.get(path).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    list(&["metadata", "finalizers"]) || (object.kind() == "Namespace" && list(&["spec", "finalizers"]))
}
