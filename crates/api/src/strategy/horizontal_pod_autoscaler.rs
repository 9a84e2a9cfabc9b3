//! HorizontalPodAutoscalers.

use serde_json::{Value, json};

use super::defaults::{fill, spec};
use super::pod_template::number;
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};

/// The strategy of HorizontalPodAutoscalers.
pub(crate) struct HorizontalPodAutoscaler;

impl Strategy for HorizontalPodAutoscaler {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        fill(spec, "minReplicas", 1);
        let processor = json!([{"type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]);
        fill(spec, "metrics", processor);
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        let target = spec.key("scaleTargetRef");
        for field in ["kind", "name"] {
            if target.key(field).is_empty() {
                errors.push(target.key(field).required(""));
            }
        }
        spec.key("minReplicas").at_least(1, &mut errors);
        let most = spec.key("maxReplicas");
        if most.int().unwrap_or_default() < 1 {
            errors.push(most.invalid("must be greater than 0"));
        } else if most.int() < spec.key("minReplicas").int() {
            errors.push(most.invalid("must be greater than or equal to `minReplicas`"));
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("REFERENCE"),
                Column::shown("TARGETS"),
                Column::shown("MINPODS"),
                Column::shown("MAXPODS"),
                Column::shown("REPLICAS"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let target = |field| object.text(&["spec", "scaleTargetRef", field]);
        vec![
            format!("{}/{}", target("kind"), target("name")),
            targets(object),
            number(object, &["spec", "minReplicas"]).to_string(),
            number(object, &["spec", "maxReplicas"]).to_string(),
            number(object, &["status", "currentReplicas"]).to_string(),
        ]
    }
}

/// `cpu: <unknown>/80%`, for each metric of a resource.
fn targets(autoscaler: &Object) -> String {
    let current = |name: &str| {
        let mut found = list(autoscaler, &["status", "currentMetrics"]);
        let metric = found.find(|m| m.pointer("/resource/name").and_then(Value::as_str) == Some(name))?;
        metric.pointer("/resource/current/averageUtilization")?.as_i64()
    };
    let shown = list(autoscaler, &["spec", "metrics"]).filter_map(|metric| {
        let name = metric.pointer("/resource/name")?.as_str()?;
        let wanted = metric.pointer("/resource/target/averageUtilization")?.as_i64()?;
        let now = current(name).map_or_else(|| "<unknown>".to_owned(), |now| format!("{now}%"));
        Some(format!("{name}: {now}/{wanted}%"))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "<none>".to_owned() } else { shown }
}
