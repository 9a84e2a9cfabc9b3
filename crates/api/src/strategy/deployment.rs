//! Deployments.

use serde_json::json;

use super::defaults::{fill, spec};
use super::pod_template::{self, count_or_percent, is_zero, number, wide_cells};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// The strategy of Deployments.
pub(crate) struct Deployment;

impl Strategy for Deployment {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "replicas", 1);
        fill(spec, "revisionHistoryLimit", 10);
        fill(spec, "progressDeadlineSeconds", 600);
        let quarter = json!("25%");
        let parameters = [("maxUnavailable", quarter.clone()), ("maxSurge", quarter)];
        pod_template::default_update(spec, "strategy", &parameters);
        pod_template::default_fields(spec);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        for field in ["replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
            spec.key(field).not_negative(&mut errors);
        }
        let (deadline, ready) = (spec.key("progressDeadlineSeconds"), spec.key("minReadySeconds"));
        if deadline.int().is_some_and(|deadline| deadline <= ready.int().unwrap_or_default()) {
            errors.push(deadline.invalid("must be greater than minReadySeconds"));
        }
        update_strategy(&spec.key("strategy"), &mut errors);
        errors.extend(pod_template::validate_workload(&spec));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        pod_template::selector_is_fixed(new, old)
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("READY"),
                Column::shown("UP-TO-DATE"),
                Column::shown("AVAILABLE"),
                Column::wide("CONTAINERS"),
                Column::wide("IMAGES"),
                Column::wide("SELECTOR"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let status = |field| number(object, &["status", field]);
        let mut cells = vec![
            format!("{}/{}", status("readyReplicas"), number(object, &["spec", "replicas"])),
            status("updatedReplicas").to_string(),
            status("availableReplicas").to_string(),
        ];
        cells.extend(wide_cells(object));
        cells
    }
}

fn update_strategy(strategy: &At<'_>, errors: &mut Vec<FieldError>) {
    strategy.key("type").needs_one_of(&["Recreate", "RollingUpdate"], errors);
    let rolling = strategy.key("rollingUpdate");
    if strategy.text_of("type") == "Recreate" {
        if rolling.is_set() {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(rolling.forbidden(why));
        }
        return;
    }
    let (unavailable, surge) = (rolling.key("maxUnavailable"), rolling.key("maxSurge"));
    count_or_percent(&unavailable, errors);
    count_or_percent(&surge, errors);
    if is_zero(&unavailable) && is_zero(&surge) {
        errors.push(unavailable.invalid("may not be 0 when `maxSurge` is 0"));
    }
    let percent = unavailable.text().strip_suffix('%').and_then(|digits| digits.parse::<u64>().ok());
    if percent.is_some_and(|percent| percent > 100) {
        errors.push(unavailable.invalid("must not be greater than 100%"));
    }
}
