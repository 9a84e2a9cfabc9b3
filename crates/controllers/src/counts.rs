//! Numbers in specs and statuses: defaults, int-or-percent, and zero as absence.

use serde_json::Value;
use xebec_api::object::Object;

/// A whole number under a path.
pub(crate) fn number(object: &Object, path: &[&str]) -> Option<i64> {
    object.get(path).and_then(Value::as_i64)
}

/// A count in `status`, 0 when absent.
pub(crate) fn status(object: &Object, field: &str) -> i64 {
    number(object, &["status", field]).unwrap_or_default()
}

/// `spec.replicas`, 1 when absent.
pub(crate) fn replicas(object: &Object) -> i64 {
    number(object, &["spec", "replicas"]).unwrap_or(1)
}

/// Sets a count in `status`; zero is absence, as Kubernetes writes it.
pub(crate) fn set_status(object: &mut Object, field: &str, count: i64) {
    if count == 0 {
        object.remove(&["status", field]);
    } else {
        object.set(&["status", field], count);
    }
}

/// A number, or a percentage of `total`, rounded up or down.
pub(crate) fn scaled(value: Option<&Value>, default: &str, total: i64, round_up: bool) -> i64 {
    let percent = |text: &str| -> Option<i64> {
        let parts = text.strip_suffix('%')?.parse::<i64>().ok()?.saturating_mul(total);
        Some(if round_up { (parts + 99).div_euclid(100) } else { parts.div_euclid(100) })
    };
    let read = |value: &Value| match value {
        Value::String(text) => percent(text).or_else(|| text.parse().ok()),
        other => other.as_i64(),
    };
    let fallback = || percent(default).or_else(|| default.parse().ok());
    value.and_then(read).or_else(fallback).unwrap_or_default().max(0)
}
