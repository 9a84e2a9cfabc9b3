//! ResourceQuotas. What they count is [`crate::quota`]'s.

use serde_json::{Map, Value};

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::quantity::Quantity;
use crate::resource::{Column, Strategy};

const SCOPES: [&str; 6] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
];

/// The strategy of ResourceQuotas.
pub(crate) struct ResourceQuota;

impl Strategy for ResourceQuota {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = At::field(object, "spec");
        let mut errors = Vec::new();
        for (resource, amount) in spec.key("hard").entries() {
            if let Err(why) = name::qualified(resource) {
                errors.push(amount.invalid(&why));
            }
            let quantity = amount.value.as_str().and_then(|text| Quantity::parse(text).ok());
            if quantity.is_some_and(|quantity| quantity.is_negative()) {
                errors.push(amount.invalid("must be greater than or equal to 0"));
            }
        }
        for scope in spec.items("scopes") {
            scope.needs_one_of(&SCOPES, &mut errors);
        }
        for expression in spec.key("scopeSelector").items("matchExpressions") {
            expression.key("scopeName").needs_one_of(&SCOPES, &mut errors);
            let operators = ["DoesNotExist", "Exists", "In", "NotIn"];
            expression.key("operator").needs_one_of(&operators, &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let scopes = |object| At::field(object, "spec").key("scopes");
        scopes(new).immutable(&scopes(old), &mut errors);
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("REQUEST"), Column::shown("LIMIT")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        let part = |field| object.get(&["status", field]).and_then(Value::as_object);
        let amount = |list: Option<&Map<String, Value>>, name: &str| {
            list.and_then(|list| list.get(name)?.as_str()).unwrap_or("0").to_owned()
        };
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for name in part("hard").into_iter().flat_map(|hard| hard.keys()) {
            let text = format!("{name}: {}/{}", amount(part("used"), name), amount(part("hard"), name));
            if name.starts_with("limits") { limits.push(text) } else { requests.push(text) }
        }
        vec![requests.join(", "), limits.join(", ")]
    }
}
