//! StatefulSets.

use serde_json::{Value, json};

use super::defaults::{fill, made, spec};
use super::pod_template::{self, number, wide_cells};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};

/// What may change in a StatefulSet that stands.
const MUTABLE: [&str; 8] = [
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
    "selector",
];

/// The strategy of StatefulSets.
pub(crate) struct StatefulSet;

impl Strategy for StatefulSet {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "replicas", 1);
        fill(spec, "podManagementPolicy", "OrderedReady");
        fill(spec, "revisionHistoryLimit", 10);
        fill(spec, "serviceName", "");
        if let Some(policy) = made(spec, "persistentVolumeClaimRetentionPolicy") {
            fill(policy, "whenDeleted", "Retain");
            fill(policy, "whenScaled", "Retain");
        }
        pod_template::default_update(spec, "updateStrategy", &[("partition", json!(0))]);
        pod_template::default_fields(spec);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        spec.key("replicas").not_negative(&mut errors);
        spec.key("minReadySeconds").not_negative(&mut errors);
        spec.key("podManagementPolicy").needs_one_of(&["OrderedReady", "Parallel"], &mut errors);
        let strategy = spec.key("updateStrategy");
        strategy.key("type").needs_one_of(&["OnDelete", "RollingUpdate"], &mut errors);
        strategy.key("rollingUpdate").key("partition").not_negative(&mut errors);
        errors.extend(pod_template::validate_workload(&spec));
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = pod_template::selector_is_fixed(new, old);
        let fixed = |object: &Object| {
            let mut spec = object.get(&["spec"]).and_then(Value::as_object).cloned().unwrap_or_default();
            MUTABLE.iter().for_each(|field| drop(spec.remove(*field)));
            spec
        };
        if fixed(new) != fixed(old) {
            errors.push(At::field(new, "spec").forbidden("updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("READY"), Column::wide("CONTAINERS"), Column::wide("IMAGES")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let (ready, wanted) = (["status", "readyReplicas"], ["spec", "replicas"]);
        let [names, images, _] = wide_cells(object);
        vec![format!("{}/{}", number(object, &ready), number(object, &wanted)), names, images]
    }
}
