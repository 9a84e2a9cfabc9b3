//! StorageClasses.

use serde_json::Value;

use super::defaults::fill;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};
use crate::table_view::age;

/// The annotation of the class that claims without one get.
const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// The strategy of StorageClasses.
pub(crate) struct StorageClass;

impl Strategy for StorageClass {
    fn default_fields(&self, object: &mut Object) {
        let map = object.as_map_mut();
        fill(map, "reclaimPolicy", "Delete");
        fill(map, "volumeBindingMode", "Immediate");
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let provisioner = At::field(object, "provisioner");
        if provisioner.is_empty() {
            errors.push(provisioner.required(""));
        }
        At::field(object, "reclaimPolicy").one_of(&["Delete", "Retain"], &mut errors);
        At::field(object, "volumeBindingMode").one_of(&["Immediate", "WaitForFirstConsumer"], &mut errors);
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for field in ["parameters", "provisioner", "reclaimPolicy"] {
            let (new, old) = (At::field(new, field), At::field(old, field));
            if new.value != old.value && !(new.is_empty() && old.is_empty()) {
                errors.push(new.forbidden(&format!("updates to {field} are forbidden.")));
            }
        }
        At::field(new, "volumeBindingMode").immutable(&At::field(old, "volumeBindingMode"), &mut errors);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("NAME"),
                Column::shown("PROVISIONER"),
                Column::shown("RECLAIMPOLICY"),
                Column::shown("VOLUMEBINDINGMODE"),
                Column::shown("ALLOWVOLUMEEXPANSION"),
                Column::shown("AGE"),
            ]
        }
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        let mark = if object.annotation(IS_DEFAULT) == Some("true") { " (default)" } else { "" };
        let grows = object.get(&["allowVolumeExpansion"]) == Some(&Value::Bool(true));
        let text = |field: &str| object.text(&[field]).to_owned();
        vec![
            format!("{}{mark}", object.name()),
            text("provisioner"),
            text("reclaimPolicy"),
            text("volumeBindingMode"),
            grows.to_string(),
            age(object, now),
        ]
    }
}
