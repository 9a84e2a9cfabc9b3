//! CustomResourceDefinitions. They are stored and checked; rows at run time are to come.

use serde_json::Value;

use super::defaults::{fill, made, spec};
use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// The strategy of CustomResourceDefinitions.
pub(crate) struct CustomResourceDefinition;

impl Strategy for CustomResourceDefinition {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        if let Some(conversion) = made(spec, "conversion") {
            fill(conversion, "strategy", "None");
        }
        let Some(names) = made(spec, "names") else { return };
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !kind.is_empty() {
            fill(names, "singular", kind.to_lowercase());
            fill(names, "listKind", format!("{kind}List"));
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        spec.key("group").needs(name::dns_subdomain, &mut errors);
        spec.key("scope").needs_one_of(&["Cluster", "Namespaced"], &mut errors);
        let names = spec.key("names");
        names.key("plural").needs(name::dns1035_label, &mut errors);
        if names.key("kind").is_empty() {
            errors.push(names.key("kind").required(""));
        }
        let wanted = format!("{}.{}", names.text_of("plural"), spec.text_of("group"));
        if object.name() != wanted {
            let own = At::field(object, "metadata").key("name");
            errors.push(own.invalid(&format!("must be spec.names.plural+\".\"+spec.group: {wanted}")));
        }
        let stored = spec.items("versions").iter().filter(|v| v.key("storage").is_true()).count();
        if stored != 1 {
            errors.push(
                spec.key("versions").invalid("must have exactly one version marked as storage version"),
            );
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("NAME"), Column::shown("CREATED AT")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        vec![object.name().to_owned(), object.text(&["metadata", "creationTimestamp"]).to_owned()]
    }
}
