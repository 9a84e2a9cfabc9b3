//! DaemonSets.

use serde_json::json;

use super::defaults::{fill, spec};
use super::pod_template::{self, count_or_percent, is_zero, number, wide_cells};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};
use crate::selector::LabelSelector;

/// The strategy of DaemonSets.
pub(crate) struct DaemonSet;

impl Strategy for DaemonSet {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "revisionHistoryLimit", 10);
        let parameters = [("maxUnavailable", json!(1)), ("maxSurge", json!(0))];
        pod_template::default_update(spec, "updateStrategy", &parameters);
        pod_template::default_fields(spec);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        spec.key("minReadySeconds").not_negative(&mut errors);
        spec.key("revisionHistoryLimit").not_negative(&mut errors);
        let strategy = spec.key("updateStrategy");
        strategy.key("type").needs_one_of(&["OnDelete", "RollingUpdate"], &mut errors);
        if strategy.text_of("type") == "RollingUpdate" {
            rolling_update(&strategy.key("rollingUpdate"), &mut errors);
        }
        errors.extend(pod_template::validate_workload(&spec));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        pod_template::selector_is_fixed(new, old)
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("DESIRED"),
                Column::shown("CURRENT"),
                Column::shown("READY"),
                Column::shown("UP-TO-DATE"),
                Column::shown("AVAILABLE"),
                Column::shown("NODE SELECTOR"),
                Column::wide("CONTAINERS"),
                Column::wide("IMAGES"),
                Column::wide("SELECTOR"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let counts = [
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        ];
        let counts = counts.map(|field| number(object, &["status", field]).to_string());
        let nodes = LabelSelector::from_pairs(object.text_map(&["spec", "template", "spec", "nodeSelector"]));
        let nodes = if nodes.is_empty() { "<none>".to_owned() } else { nodes.to_string() };
        counts.into_iter().chain([nodes]).chain(wide_cells(object)).collect()
    }
}

fn rolling_update(rolling: &At<'_>, errors: &mut Vec<FieldError>) {
    let (unavailable, surge) = (rolling.key("maxUnavailable"), rolling.key("maxSurge"));
    count_or_percent(&unavailable, errors);
    count_or_percent(&surge, errors);
    if is_zero(&unavailable) && is_zero(&surge) {
        errors.push(unavailable.required("cannot be 0 when maxSurge is 0"));
    } else if !is_zero(&unavailable) && !is_zero(&surge) {
        errors.push(surge.invalid("may not be set when maxUnavailable is non-zero"));
    }
}
