//! PriorityClasses.

use serde_json::Value;

use super::defaults::fill;
use super::pod_template::number;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::SYSTEM_PRIORITIES;
use crate::resource::{Column, Strategy};
use crate::table_view::age;

/// What is above is the system's.
const MOST: i64 = 1_000_000_000;
const SYSTEM_PREFIX: &str = "system-";

/// The strategy of PriorityClasses.
pub(crate) struct PriorityClass;

impl Strategy for PriorityClass {
    fn default_fields(&self, object: &mut Object) {
        let map = object.as_map_mut();
        // Zero need not be written.
        fill(map, "value", 0);
        fill(map, "preemptionPolicy", "PreemptLowerPriority");
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if SYSTEM_PRIORITIES.contains(&(object.name(), number(object, &["value"]))) {
            return errors;
        }
        if object.name().starts_with(SYSTEM_PREFIX) {
            let name = At::field(object, "metadata").key("name");
            errors.push(name.forbidden(&format!(
                "priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only"
            )));
        }
        let value = At::field(object, "value");
        if value.int().is_some_and(|value| value > MOST) {
            let why = format!("maximum allowed value of a user defined priority is {MOST}");
            errors.push(value.forbidden(&why));
        }
        At::field(object, "preemptionPolicy").one_of(&["Never", "PreemptLowerPriority"], &mut errors);
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let (value, policy) = (At::field(new, "value"), At::field(new, "preemptionPolicy"));
        if value.value != At::field(old, "value").value {
            errors.push(value.forbidden("may not be changed in an update."));
        }
        policy.immutable(&At::field(old, "preemptionPolicy"), &mut errors);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("NAME"),
                Column::shown("VALUE"),
                Column::shown("GLOBAL-DEFAULT"),
                Column::shown("AGE"),
                Column::shown("PREEMPTIONPOLICY"),
            ]
        }
    }

    fn cells(&self, object: &Object, now: i64) -> Vec<String> {
        let is_default = object.get(&["globalDefault"]) == Some(&Value::Bool(true));
        vec![
            object.name().to_owned(),
            number(object, &["value"]).to_string(),
            is_default.to_string(),
            age(object, now),
            object.text(&["preemptionPolicy"]).to_owned(),
        ]
    }
}
