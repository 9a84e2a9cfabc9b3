//! Namespaces.

use serde_json::{Value, json};

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::pod_security::{self, Level};
use crate::resource::{Column, Strategy};

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The strategy of Namespaces.
pub(crate) struct Namespace;

impl Strategy for Namespace {
    fn validate_name(&self, name: &str) -> Result<(), String> {
        name::dns_label(name)
    }

    fn prepare_create(&self, object: &mut Object) {
        object.set(&["spec", "finalizers"], json!(["kubernetes"]));
        object.set(&["status"], json!({"phase": "Active"}));
    }

    fn prepare_update(&self, new: &mut Object, old: &Object) {
        // Only the subresource `finalize` takes these away.
        if let Some(finalizers) = old.get(&["spec", "finalizers"]) {
            let finalizers = finalizers.clone();
            new.set(&["spec", "finalizers"], finalizers);
        }
    }

    fn default_fields(&self, object: &mut Object) {
        if !object.name().is_empty() {
            let name = object.name().to_owned();
            object.set(&["metadata", "labels", NAME_LABEL], name);
        }
        if object.text(&["status", "phase"]).is_empty() {
            object.set(&["status", "phase"], "Active");
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for finalizer in At::field(object, "spec").items("finalizers") {
            finalizer.needs(name::qualified, &mut errors);
        }
        let labels = At::field(object, "metadata").key("labels");
        for label in ["enforce", "audit", "warn"].map(pod_security::label) {
            if let Some(level) = object.get(&["metadata", "labels", &label]).and_then(Value::as_str)
                && Level::parse(level).is_none()
            {
                let why =
                    format!("Invalid value: {level:?}: must be one of privileged, baseline, restricted");
                errors.push(FieldError::invalid(format!("{}[{label}]", labels.path), why));
            }
        }
        errors
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "status.phase").then(|| object.text(&["status", "phase"]).to_owned())
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("STATUS")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let phase = object.get(&["status", "phase"]).and_then(Value::as_str).unwrap_or("Active");
        vec![if object.is_terminating() { "Terminating" } else { phase }.to_owned()]
    }
}
