//! ConfigMaps.

use super::config_data::{count, decoded_len, validate, validate_update};
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};

const FIELDS: [&str; 2] = ["data", "binaryData"];

/// The strategy of ConfigMaps.
pub(crate) struct ConfigMap;

impl Strategy for ConfigMap {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let size = |field: &str, value: &str| if field == "data" { value.len() } else { decoded_len(value) };
        validate(object, &FIELDS, size)
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        validate_update(new, old, &FIELDS)
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("DATA")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        vec![count(object, &FIELDS)]
    }
}
