//! The rules of what says where a pod may run.

use super::affinity;
use crate::at::At;
use crate::error::FieldError;
use crate::{metadata, name};

pub(super) fn validate(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    metadata::labels(&spec.key("nodeSelector"), errors);
    for toleration in spec.items("tolerations") {
        validate_toleration(&toleration, errors);
    }
    let node = spec.key("affinity").key("nodeAffinity");
    let required = node.key("requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_set() && required.items("nodeSelectorTerms").is_empty() {
        let why = "must have at least one node selector term";
        errors.push(required.key("nodeSelectorTerms").required(why));
    }
    for term in required.items("nodeSelectorTerms") {
        for expression in term.items("matchExpressions") {
            node_requirement(&expression, errors);
        }
    }
    affinity::validate(&spec.key("affinity"), errors);
    spread(&spec.items("topologySpreadConstraints"), errors);
}

fn spread(constraints: &[At<'_>], errors: &mut Vec<FieldError>) {
    for (i, constraint) in constraints.iter().enumerate() {
        let skew = constraint.key("maxSkew");
        let number = skew.int().unwrap_or_default();
        if number <= 0 {
            let message = format!("Invalid value: {number}: must be greater than zero");
            errors.push(FieldError::invalid(skew.path, message));
        }
        let key = constraint.key("topologyKey");
        if key.is_empty() {
            errors.push(key.required("can not be empty"));
        }
        let action = constraint.key("whenUnsatisfiable");
        let actions = ["DoNotSchedule", "ScheduleAnyway"];
        if !actions.contains(&action.text()) {
            errors.push(action.not_supported(&actions));
        }
        let same = |other: &At<'_>| {
            other.text_of("topologyKey") == key.text() && other.text_of("whenUnsatisfiable") == action.text()
        };
        if constraints.iter().skip(i + 1).any(same) {
            let path = constraint.key("{topologyKey, whenUnsatisfiable}").path;
            errors.push(FieldError::duplicate(path, &format!("{{{}, {}}}", key.text(), action.text())));
        }
    }
}

fn validate_toleration(toleration: &At<'_>, errors: &mut Vec<FieldError>) {
    let (key, operator) = (toleration.key("key"), toleration.key("operator"));
    if key.is_empty() {
        if operator.text() != "Exists" {
            errors.push(operator.invalid(
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            ));
        }
    } else {
        key.obeys(name::qualified, errors);
    }
    operator.one_of(&["Equal", "Exists"], errors);
    let value = toleration.key("value");
    if operator.text() == "Exists" && !value.is_empty() {
        errors.push(operator.invalid("value must be empty when `operator` is 'Exists'"));
    } else {
        value.obeys(name::label_value, errors);
    }
    let effect = toleration.key("effect");
    effect.one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"], errors);
    if toleration.key("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
        errors.push(effect.invalid("effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
}

pub(super) fn node_requirement(expression: &At<'_>, errors: &mut Vec<FieldError>) {
    expression.key("key").needs(name::qualified, errors);
    let operator = expression.key("operator");
    operator.needs_one_of(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"], errors);
    let values = expression.key("values");
    let count = expression.items("values").len();
    match operator.text() {
        "In" | "NotIn" if count == 0 => {
            errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if count > 0 => {
            errors
                .push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        "Gt" | "Lt" if count != 1 => {
            errors.push(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"));
        }
        _ => {}
    }
}
