//! Pod templates and selectors, as all workloads have them.

use serde_json::{Map, Value};

use super::defaults::{fill, inner, made};
use super::pod_spec::{self, Workload};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::selector::LabelSelector;
use crate::{metadata, name};

/// The defaults of `template` in a workload's spec.
pub(super) fn default_fields(spec: &mut Map<String, Value>) {
    if let Some(pod) = inner(spec, "template").and_then(|template| made(template, "spec")) {
        pod_spec::default_fields(pod);
    }
}

/// A ReplicationController's or PodTemplate's kind of template, at the top.
pub(super) fn validate(template: &At<'_>, workload: Workload) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let own = template.key("metadata");
    metadata::labels(&own.key("labels"), &mut errors);
    metadata::annotations(&own.key("annotations"), &mut errors);
    errors.extend(pod_spec::validate(&template.key("spec"), workload));
    errors
}

/// A spec with `selector` and `template`, where the one must select the other.
pub(super) fn validate_workload(spec: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    selector(&spec.key("selector"), &mut errors);
    if errors.is_empty() {
        let found = LabelSelector::from_object(spec.key("selector").value);
        let labels = spec.key("template").key("metadata").key("labels");
        let pairs = labels.map().into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
        if !found.matches_labels(pairs) {
            errors.push(labels.invalid("`selector` does not match template `labels`"));
        }
    }
    errors.extend(validate(&spec.key("template"), Workload::Service));
    let deadline = spec.key("template").key("spec").key("activeDeadlineSeconds");
    if deadline.is_set() {
        errors.push(deadline.forbidden("activeDeadlineSeconds is not allowed here"));
    }
    errors
}

/// A selector that must be there and select something.
pub(super) fn selector(selector: &At<'_>, errors: &mut Vec<FieldError>) {
    if !selector.is_set() {
        errors.push(selector.required(""));
        return;
    }
    if selector.key("matchLabels").is_empty() && selector.key("matchExpressions").is_empty() {
        errors.push(selector.invalid("empty selector is invalid: it would select every pod"));
    }
    label_selector(selector, errors);
}

/// The form of `{matchLabels, matchExpressions}`.
pub(super) fn label_selector(selector: &At<'_>, errors: &mut Vec<FieldError>) {
    metadata::labels(&selector.key("matchLabels"), errors);
    for expression in selector.items("matchExpressions") {
        expression.key("key").needs(name::qualified, errors);
        let (operator, values) = (expression.key("operator"), expression.key("values"));
        operator.needs_one_of(&["In", "NotIn", "Exists", "DoesNotExist"], errors);
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(values.forbidden(why));
            }
            _ => {}
        }
    }
}

/// `spec.selector` never changes.
pub(super) fn selector_is_fixed(new: &Object, old: &Object) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let selector = |object| At::field(object, "spec").key("selector");
    selector(new).immutable(&selector(old), &mut errors);
    errors
}

/// An absolute number or a percentage, such as `1` or `25%`, neither below zero.
pub(super) fn count_or_percent(at: &At<'_>, errors: &mut Vec<FieldError>) {
    at.not_negative(errors);
    let text = at.text();
    let digits = text.strip_suffix('%').unwrap_or_default();
    if at.value.is_string() && (digits.is_empty() || digits.bytes().any(|b| !b.is_ascii_digit())) {
        errors.push(at.invalid("a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"));
    }
}

/// Neither a number nor a percentage above nothing.
pub(super) fn is_zero(at: &At<'_>) -> bool {
    at.int() == Some(0) || at.text().trim_start_matches('0') == "%"
}

/// Containers' names, images and the selector, for `-o wide`.
pub(super) fn wide_cells(object: &Object) -> [String; 3] {
    let containers = object.get(&["spec", "template", "spec", "containers"]).and_then(Value::as_array);
    let field = |name: &str| {
        let values = containers.into_iter().flatten().filter_map(|c| c.get(name)?.as_str());
        values.collect::<Vec<_>>().join(",")
    };
    let selector = object.get(&["spec", "selector"]).map(LabelSelector::from_object).unwrap_or_default();
    let selector = if selector.is_empty() { "<none>".to_owned() } else { selector.to_string() };
    [field("name"), field("image"), selector]
}

/// A number of the status or the spec, 0 when it is not there.
pub(super) fn number(object: &Object, path: &[&str]) -> i64 {
    object.get(path).and_then(Value::as_i64).unwrap_or_default()
}

/// The update strategy's type, filled in, and its parameters where it has any.
pub(super) fn default_update(spec: &mut Map<String, Value>, field: &str, parameters: &[(&str, Value)]) {
    let Some(strategy) = made(spec, field) else { return };
    fill(strategy, "type", "RollingUpdate");
    if strategy.get("type") != Some(&Value::from("RollingUpdate")) {
        return;
    }
    let Some(rolling) = made(strategy, "rollingUpdate") else { return };
    for (name, value) in parameters {
        fill(rolling, name, value.clone());
    }
}
