//! ReplicationControllers, which ReplicaSets replace.

use serde_json::Value;

use super::defaults::{fill, inner, spec};
use super::pod_spec::Workload;
use super::pod_template::{self, number, wide_cells};
use crate::at::At;
use crate::error::FieldError;
use crate::metadata;
use crate::object::Object;
use crate::resource::{Column, Strategy};
use crate::selector::LabelSelector;

/// The strategy of ReplicationControllers.
pub(crate) struct ReplicationController;

impl Strategy for ReplicationController {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "replicas", 1);
        let template = inner(spec, "template").and_then(|template| inner(template, "metadata"));
        let labels = template.and_then(|metadata| metadata.get("labels").cloned());
        if let Some(labels) = labels.filter(Value::is_object) {
            fill(spec, "selector", labels);
        }
        pod_template::default_fields(spec);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        spec.key("replicas").not_negative(&mut errors);
        spec.key("minReadySeconds").not_negative(&mut errors);
        if spec.key("selector").is_empty() {
            errors.push(spec.key("selector").required(""));
        }
        metadata::labels(&spec.key("selector"), &mut errors);
        let labels = spec.key("template").key("metadata").key("labels");
        let selector = LabelSelector::from_pairs(object.text_map(&["spec", "selector"]));
        let pairs = object.text_map(&["spec", "template", "metadata", "labels"]);
        if !selector.matches_labels(pairs) {
            errors.push(labels.invalid("`selector` does not match template `labels`"));
        }
        errors.extend(pod_template::validate(&spec.key("template"), Workload::Service));
        errors
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
        let [names, images, _] = wide_cells(object);
        let selector = LabelSelector::from_pairs(object.text_map(&["spec", "selector"])).to_string();
        counts.into_iter().chain([names, images, selector]).collect()
    }
}
