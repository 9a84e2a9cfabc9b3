//! Options that requests carry in their query and in bodies, and what is said of those that break a
//! rule.

use serde_json::Value;
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;

use crate::{DeleteOptions, Propagation};

/// A `DeleteOptions` object, which the body of a delete is and an Eviction holds. And whether the
/// delete is tried out only.
///
/// # Errors
/// `Invalid`, naming the option; `BadRequest` for an object of another kind.
pub(crate) fn of_delete(body: &Object) -> Result<(DeleteOptions, bool), ApiError> {
    if !matches!(body.kind(), "" | "DeleteOptions") {
        let message = format!("expected DeleteOptions in the body of a delete, found {}", body.kind());
        return Err(ApiError::new(Reason::BadRequest, message));
    }
    let grace_seconds = match body.get(&["gracePeriodSeconds"]) {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_u64().ok_or_else(|| {
            invalid(
                "gracePeriodSeconds",
                format!("Invalid value: {value}: must be a number that is not negative"),
            )
        })?),
    };
    let precondition = |field: &str| {
        let text = body.text(&["preconditions", field]);
        (!text.is_empty()).then(|| text.to_owned())
    };
    let orphan = body.get(&["orphanDependents"]).and_then(Value::as_bool);
    let options = DeleteOptions {
        grace_seconds,
        uid: precondition("uid"),
        resource_version: precondition("resourceVersion"),
        propagation: propagation(body.text(&["propagationPolicy"]), orphan)?,
    };
    let tried = body.get(&["dryRun"]).and_then(Value::as_array);
    let tried = tried.into_iter().flatten().map(|value| value.as_str().unwrap_or_default());
    Ok((options, dry_run(tried)?))
}

/// What happens to dependents, by the option of today and the one of old.
pub(crate) fn propagation(policy: &str, orphan: Option<bool>) -> Result<Propagation, ApiError> {
    match (policy, orphan) {
        ("Background", None) | ("", None | Some(false)) => Ok(Propagation::Background),
        ("Foreground", None) => Ok(Propagation::Foreground),
        ("Orphan", None) | ("", Some(true)) => Ok(Propagation::Orphan),
        (_, Some(_)) => {
            let why = "Invalid value: orphanDependents and deletionPropagation cannot be both set";
            Err(invalid("propagationPolicy", why))
        }
        (other, None) => {
            Err(not_supported("propagationPolicy", other, &["Foreground", "Background", "Orphan"]))
        }
    }
}

/// Whether a request is tried out only.
pub(crate) fn dry_run<'a>(values: impl Iterator<Item = &'a str>) -> Result<bool, ApiError> {
    let mut dry = false;
    for value in values {
        match value {
            "" => {}
            "All" => dry = true,
            other => return Err(not_supported("dryRun", other, &["All"])),
        }
    }
    Ok(dry)
}

/// An option that is none of those there are.
pub(crate) fn not_supported(name: &str, value: &str, supported: &[&str]) -> ApiError {
    let supported: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
    let why = format!("Unsupported value: {value:?}: supported values: {}", supported.join(", "));
    invalid(name, why)
}

/// An option that breaks a rule.
pub(crate) fn invalid(name: &str, why: impl Into<String>) -> ApiError {
    ApiError::invalid("meta.k8s.io", "Options", "", vec![FieldError::invalid(name, why)])
}
