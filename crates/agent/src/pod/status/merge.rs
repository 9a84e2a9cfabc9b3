//! Lays what the agent says over the status that the API has: fields of others stay, times
//! move only with what they are the times of, and a last phase is the last.

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::time::rfc3339;

use super::is_final;

/// The status to be stored.
pub(crate) fn merge(old: &Value, said: &Value, now: Timestamp) -> Value {
    let mut merged = if old.is_object() { old.clone() } else { json!({}) };
    for (key, value) in said.as_object().into_iter().flatten() {
        merged[key] = value.clone();
    }
    if old["phase"].as_str().is_some_and(is_final) {
        merged["phase"] = old["phase"].clone();
    }
    if merged["startTime"].is_null() {
        merged["startTime"] = rfc3339(now).into();
    }
    merged["conditions"] = conditions(&old["conditions"], &said["conditions"], now);
    merged
}

fn conditions(old: &Value, said: &Value, now: Timestamp) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (old, said) = (list(old), list(said));
    let mut merged: Vec<Value> =
        old.iter().filter(|c| !said.iter().any(|s| s["type"] == c["type"])).cloned().collect();
    for mut condition in said {
        let before =
            old.iter().find(|c| c["type"] == condition["type"] && c["status"] == condition["status"]);
        let since = before.map(|c| c["lastTransitionTime"].clone()).filter(Value::is_string);
        condition["lastProbeTime"] = Value::Null;
        condition["lastTransitionTime"] = since.unwrap_or_else(|| rfc3339(now).into());
        merged.push(condition);
    }
    merged.into()
}

/// Whether two statuses say the same: a field that is null is one that is not there.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys());
            let field = |map: &serde_json::Map<String, Value>, key| map.get(key).cloned().unwrap_or_default();
            keys.into_iter().all(|key| same(&field(a, key), &field(b, key)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(one, other)| same(one, other))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_others_stay_and_times_move_with_their_status() {
        let old = json!({
            "qosClass": "Guaranteed", "startTime": "2026-01-01T00:00:00Z", "phase": "Running",
            "conditions": [
                {"type": "example.com/gate", "status": "True"},
                {"type": "Ready", "status": "False", "reason": "NodeNotReady", "lastTransitionTime": "2026-01-01T00:00:09Z"},
                {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-01-01T00:00:01Z"},
            ],
        });
        let said = json!({
            "phase": "Running", "podIP": "10.42.0.2",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}],
        });
        let now = "2026-01-01T00:01:00Z".parse().expect("a time");
        let merged = merge(&old, &said, now);
        let wanted = json!({
            "qosClass": "Guaranteed", "startTime": "2026-01-01T00:00:00Z", "phase": "Running", "podIP": "10.42.0.2",
            "conditions": [
                {"type": "example.com/gate", "status": "True"},
                {"type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-01-01T00:01:00Z"},
                {"type": "Initialized", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-01-01T00:00:01Z"},
            ],
        });
        assert_eq!(merged, wanted);
        assert!(!same(&old, &merged) && same(&merged, &merge(&merged, &said, Timestamp::MAX)));
    }

    #[test]
    fn a_last_phase_is_the_last() {
        let merged = merge(
            &json!({"phase": "Failed", "reason": "Evicted"}),
            &json!({"phase": "Running"}),
            Timestamp::MIN,
        );
        assert_eq!((&merged["phase"], &merged["reason"]), (&json!("Failed"), &json!("Evicted")));
    }

    #[test]
    fn a_null_is_nothing() {
        assert!(same(&json!({"a": null, "b": [{"c": null}]}), &json!({"b": [{}]})));
        assert!(!same(&json!({"a": 1}), &json!({"a": 1, "b": [1]})));
    }
}
