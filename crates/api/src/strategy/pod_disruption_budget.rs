//! PodDisruptionBudgets.

use serde_json::Value;

use super::pod_template::{count_or_percent, label_selector, number};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};

const AMOUNTS: [&str; 2] = ["minAvailable", "maxUnavailable"];

/// The strategy of PodDisruptionBudgets.
pub(crate) struct PodDisruptionBudget;

impl Strategy for PodDisruptionBudget {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        if AMOUNTS.iter().all(|field| spec.key(field).is_set()) {
            errors.push(spec.invalid("minAvailable and maxUnavailable cannot be both set"));
        }
        for field in AMOUNTS {
            let amount = spec.key(field);
            count_or_percent(&amount, &mut errors);
            let percent = amount.text().strip_suffix('%').and_then(|digits| digits.parse::<u64>().ok());
            if percent.is_some_and(|percent| percent > 100) {
                errors.push(amount.invalid("must not be greater than 100%"));
            }
        }
        label_selector(&spec.key("selector"), &mut errors);
        spec.key("unhealthyPodEvictionPolicy").one_of(&["AlwaysAllow", "IfHealthyBudget"], &mut errors);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("MIN AVAILABLE"),
                Column::shown("MAX UNAVAILABLE"),
                Column::shown("ALLOWED DISRUPTIONS"),
            ]
        }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let amounts = AMOUNTS.map(|field| match object.get(&["spec", field]) {
            None | Some(Value::Null) => "N/A".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(number) => number.to_string(),
        });
        let allowed = number(object, &["status", "disruptionsAllowed"]).to_string();
        amounts.into_iter().chain([allowed]).collect()
    }
}
