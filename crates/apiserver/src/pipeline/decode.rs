//! Stage 4: is the body an object of the kind that the request names, in the right
//! place, of a depth that can be stored and read again, and does its kind know every field it has.

use xebec_api::check;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::{FieldValidation, RequestContext, Target, depth};

/// The largest object, as JSON; Kubernetes' own bound on a request.
const MAX_BYTES: usize = 3 * 512 * 1024;

/// Checks a body against the request's target and completes what may be left out:
/// `apiVersion`, `kind`, and the namespace.
pub(crate) fn run(ctx: &RequestContext, object: &mut Object, target: &Target) -> Result<(), ApiError> {
    // First, as everything behind it goes down into the object.
    depth::check(object)?;
    check_metadata_shape(object)?;
    check_type(object, target)?;
    check_place(object, target)?;
    check_fields(ctx, object, target)
}

/// The fields and the size.
fn check_fields(ctx: &RequestContext, object: &mut Object, target: &Target) -> Result<(), ApiError> {
    let size = object.to_json().len();
    if size > MAX_BYTES {
        return Err(bad(format!("the object has {size} bytes; {MAX_BYTES} are the limit")));
    }
    let row = target.row;
    let strict = ctx.field_validation == FieldValidation::Strict;
    let decoded = if strict { check::decode(row, object) } else { check::decode_known(row, object) };
    let causes = match decoded {
        Ok(unknown) if strict => unknown,
        Ok(dropped) => {
            if ctx.field_validation == FieldValidation::Warn {
                dropped.iter().for_each(|error| ctx.warnings.add(format!("unknown field {:?}", error.field)));
            }
            Vec::new()
        }
        Err(cause) => vec![cause],
    };
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(row.group, row.kind, object.name(), causes))
}

fn check_metadata_shape(object: &mut Object) -> Result<(), ApiError> {
    match object.as_map().get("metadata") {
        None | Some(serde_json::Value::Null) => object.set(&["metadata"], serde_json::Map::new()),
        Some(value) if value.is_object() => {}
        Some(_) => return Err(bad("metadata: expected an object".into())),
    }
    for field in ["name", "generateName", "namespace", "uid", "resourceVersion"] {
        match object.get(&["metadata", field]) {
            None | Some(serde_json::Value::String(_)) => {}
            Some(serde_json::Value::Null) => {
                object.remove(&["metadata", field]);
            }
            Some(_) => return Err(bad(format!("metadata.{field}: expected a string"))),
        }
    }
    Ok(())
}

fn check_type(object: &mut Object, target: &Target) -> Result<(), ApiError> {
    let wanted = target.row.api_version();
    for (field, wanted) in [("apiVersion", wanted.as_str()), ("kind", target.row.kind)] {
        let found = object.text(&[field]);
        if found.is_empty() {
            object.set(&[field], wanted);
        } else if found != wanted {
            let message = format!(
                "the object provided is unrecognized: {field} is {found:?}, but {} takes {wanted:?}",
                target.qualified()
            );
            return Err(bad(message));
        }
    }
    Ok(())
}

fn check_place(object: &mut Object, target: &Target) -> Result<(), ApiError> {
    let name = object.name();
    if !target.name.is_empty() && !name.is_empty() && name != target.name {
        let message = format!(
            "the name of the object ({name}) does not match the name on the request ({})",
            target.name
        );
        return Err(bad(message));
    }
    if !target.name.is_empty() && name.is_empty() {
        object.set(&["metadata", "name"], target.name.as_str());
    }
    if !target.row.namespaced {
        object.remove(&["metadata", "namespace"]);
        return Ok(());
    }
    let namespace = object.namespace();
    if !namespace.is_empty() && namespace != target.namespace {
        let message = format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request ({})",
            target.namespace
        );
        return Err(bad(message));
    }
    object.set(&["metadata", "namespace"], target.namespace.as_str());
    Ok(())
}

fn bad(message: String) -> ApiError {
    ApiError::new(Reason::BadRequest, message)
}
