//! The subresource `scale`: an `autoscaling/v1` Scale in front of anything that has
//! `spec.replicas`.

use serde_json::{Value, json};
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::selector::LabelSelector;

use crate::Target;

/// The Scale of an object.
pub(super) fn of(object: &Object) -> Object {
    let mut scale = Object::default();
    scale.set(&["apiVersion"], "autoscaling/v1");
    scale.set(&["kind"], "Scale");
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.get(&["metadata", field]) {
            scale.set(&["metadata", field], value.clone());
        }
    }
    let number = |path: &[&str], default: i64| object.get(path).and_then(Value::as_i64).unwrap_or(default);
    scale.set(&["spec", "replicas"], number(&["spec", "replicas"], 1));
    scale.set(&["status", "replicas"], number(&["status", "replicas"], 0));
    scale.set(&["status", "selector"], selector(object).to_string());
    scale
}

/// What selects the pods. A ReplicationController's selector is plain pairs.
fn selector(object: &Object) -> LabelSelector {
    if object.kind() == "ReplicationController" {
        return LabelSelector::from_pairs(object.text_map(&["spec", "selector"]));
    }
    object.get(&["spec", "selector"]).map(LabelSelector::from_object).unwrap_or_default()
}

/// Checks the body of a scale request and completes its name.
pub(super) fn check(scale: &mut Object, target: &Target) -> Result<(), ApiError> {
    let (version, kind) = (scale.api_version(), scale.kind());
    if !matches!(version, "" | "autoscaling/v1") || !matches!(kind, "" | "Scale") {
        let message = format!("{} takes an autoscaling/v1 Scale, not a {version} {kind}", target.qualified());
        return Err(ApiError::new(Reason::BadRequest, message));
    }
    if !scale.name().is_empty() && scale.name() != target.name {
        let message = format!(
            "the name of the object ({}) does not match the name on the request ({})",
            scale.name(),
            target.name
        );
        return Err(ApiError::new(Reason::BadRequest, message));
    }
    let replicas = scale.get(&["spec", "replicas"]).cloned().unwrap_or(json!(0));
    let fine = replicas.as_i64().is_some_and(|count| (0..=i64::from(i32::MAX)).contains(&count));
    if !fine {
        let why = format!("Invalid value: {replicas}: must be a number that is greater than or equal to 0");
        let cause = FieldError::invalid("spec.replicas", why);
        return Err(ApiError::invalid("autoscaling", "Scale", &target.name, vec![cause]));
    }
    Ok(())
}

/// The stored object with the Scale's replicas.
pub(super) fn apply(old: &Object, scale: &Object) -> Object {
    let mut new = old.clone();
    let replicas = scale.get(&["spec", "replicas"]).cloned().unwrap_or(json!(0));
    new.set(&["spec", "replicas"], replicas);
    new
}
