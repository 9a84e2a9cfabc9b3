//! ReplicaSets.

use super::defaults::{fill, spec};
use super::pod_template::{self, number, wide_cells};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// The strategy of ReplicaSets.
pub(crate) struct ReplicaSet;

impl Strategy for ReplicaSet {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "replicas", 1);
        pod_template::default_fields(spec);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        spec.key("replicas").not_negative(&mut errors);
        spec.key("minReadySeconds").not_negative(&mut errors);
        errors.extend(pod_template::validate_workload(&spec));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        pod_template::selector_is_fixed(new, old)
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        (field == "status.replicas").then(|| number(object, &["status", "replicas"]).to_string())
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("DESIRED"),
                Column::shown("CURRENT"),
                Column::shown("READY"),
                Column::wide("CONTAINERS"),
                Column::wide("IMAGES"),
                Column::wide("SELECTOR"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let counts = [["spec", "replicas"], ["status", "replicas"], ["status", "readyReplicas"]];
        let counts = counts.map(|path| number(object, &path).to_string());
        counts.into_iter().chain(wide_cells(object)).collect()
    }
}
