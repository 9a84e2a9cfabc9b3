//! Objects that the cluster itself wants to exist: created when missing, put right when
//! changed, and otherwise left with whatever others and defaulting have added.

use serde_json::Value;
use xebec_api::object::Object;

use crate::plan::Plan;
use crate::view::View;

/// An object of a literal.
pub(crate) fn object(value: Value) -> Object {
    match value {
        Value::Object(map) => Object::from_map(map),
        other => unreachable!("a literal object is a map: {other}"),
    }
}

/// Creates `wanted`, or lays it over what is stored.
pub(crate) fn ensure(view: &dyn View, resource: &str, wanted: Object, plan: &mut Plan) {
    match view.get(resource, wanted.namespace(), wanted.name()) {
        None => plan.create(wanted),
        Some(stored) if stored.is_terminating() => {}
        Some(stored) => {
            let mut value = stored.clone().into_value();
            lay_over(&mut value, wanted.into_value());
            plan.update(&stored, object(value));
        }
    }
}

/// Maps are merged, and lists of the same length element by element, so that defaults
/// within them stay; anything else is replaced.
fn lay_over(stored: &mut Value, wanted: Value) {
    match (stored, wanted) {
        (Value::Object(stored), Value::Object(wanted)) => {
            for (key, value) in wanted {
                lay_over(stored.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(stored), Value::Array(wanted)) if stored.len() == wanted.len() => {
            stored.iter_mut().zip(wanted).for_each(|(stored, wanted)| lay_over(stored, wanted));
        }
        (stored, wanted) => *stored = wanted,
    }
}
