//! LimitRanges. What they do to pods and claims is [`crate::limit_range`]'s.

use serde_json::{Map, Value};

use super::defaults::{each, inner, made, spec};
use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::quantity::Quantity;
use crate::resource::{Column, Strategy};

/// The strategy of LimitRanges.
pub(crate) struct LimitRange;

impl Strategy for LimitRange {
    fn default_fields(&self, object: &mut Object) {
        let Some(spec) = spec(object) else { return };
        for item in each(spec, "limits").filter(|item| item.get("type") == Some(&"Container".into())) {
            // Who says no more than the most gives that, and asks for as much as is given, or for the least.
            for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
                copy_missing(item, from, to);
            }
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut kinds = Vec::new();
        for item in At::field(object, "spec").items("limits") {
            let kind = item.key("type");
            if kinds.contains(&kind.text()) {
                errors.push(kind.duplicate());
            }
            kinds.push(kind.text());
            if kind.text() == "Pod" {
                for field in ["default", "defaultRequest"].map(|field| item.key(field)) {
                    if !field.is_empty() {
                        errors.push(field.forbidden("may not be specified when `type` is 'Pod'"));
                    }
                }
            }
            in_order(&item, &mut errors);
        }
        errors
    }

    fn columns(&self) -> &'static [Column] {
        const { &[Column::shown("NAME"), Column::shown("CREATED AT")] }
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        vec![object.name().to_owned(), object.text(&["metadata", "creationTimestamp"]).to_owned()]
    }
}

fn copy_missing(item: &mut Map<String, Value>, from: &str, to: &str) {
    let Some(amounts) = inner(item, from).cloned().filter(|it| !it.is_empty()) else { return };
    let Some(target) = made(item, to) else { return };
    for (name, amount) in amounts {
        target.entry(name).or_insert(amount);
    }
}

/// The least, what is asked for, what is given and the most stand in this order.
fn in_order(item: &At<'_>, errors: &mut Vec<FieldError>) {
    let words =
        [("min", "min"), ("defaultRequest", "default request"), ("default", "default"), ("max", "max")];
    for (index, (field, word)) in words.iter().enumerate() {
        for (larger, larger_word) in &words[index + 1..] {
            for (name, amount) in item.key(field).entries() {
                let most = item.key(larger).key(name);
                let (Some(one), Some(other)) = (quantity(&amount), quantity(&most)) else { continue };
                if one > other {
                    let why = format!("{word} value {one} is greater than {larger_word} value {other}");
                    errors.push(amount.invalid(&why));
                }
            }
        }
    }
}

fn quantity(amount: &At<'_>) -> Option<Quantity> {
    Quantity::parse(amount.value.as_str()?).ok()
}
