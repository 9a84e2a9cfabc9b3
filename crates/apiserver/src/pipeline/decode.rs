//! Stage 4: is the body an object of the kind that the request names, in the right
//! place, of a depth that can be stored and read again, and does its kind know every field it has.

use xebec_api::check;
use xebec_api::error::{ApiError, FieldError, Reason};
use xebec_api::object::Object;
use xebec_api::resource::Resource;

use crate::{FieldValidation, RequestContext, Target, depth};

/// The largest object, as JSON; Kubernetes' own bound on a request.
const MAX_BYTES: usize = 3 * 512 * 1024;

/// What a client sent. A whole object that has fields too many is none of its kind; a patch that makes one is invalid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The object.
    Whole,
    /// A patch, of which this is the outcome.
    Patch,
}

/// Checks a body against the request's target and completes what may be left out:
/// `apiVersion`, `kind`, and the namespace.
pub(crate) fn run(
    ctx: &RequestContext,
    object: &mut Object,
    target: &Target,
    sent: Sent,
) -> Result<(), ApiError> {
    // First, as everything behind it goes down into the object.
    depth::check(object)?;
    check_metadata_shape(object)?;
    check_type(object, target)?;
    check_place(object, target)?;
    check_fields(ctx, object, target, sent)
}

/// What becomes of fields that a body names twice, of which only one face knows.
pub(crate) fn check_duplicates(
    ctx: &RequestContext,
    row: &Resource,
    sent: Sent,
    duplicates: &[String],
) -> Result<(), ApiError> {
    let told = duplicates.iter().map(|field| format!("duplicate field {field:?}"));
    tell(ctx, row, sent, told.collect())
}

/// Refuses what should not stand in a body, warns of it, or is silent, as the request says.
fn tell(ctx: &RequestContext, row: &Resource, sent: Sent, told: Vec<String>) -> Result<(), ApiError> {
    match ctx.field_validation {
        FieldValidation::Strict if !told.is_empty() => Err(strict(row, sent, &told)),
        FieldValidation::Warn => {
            told.into_iter().for_each(|told| ctx.warnings.add(told));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A refusal in Kubernetes' words, which clients know.
fn strict(row: &Resource, sent: Sent, told: &[String]) -> ApiError {
    let why = format!("strict decoding error: {}", told.join(", "));
    match sent {
        Sent::Whole => no_object(row, &why),
        Sent::Patch => {
            let cause = FieldError::new("FieldValueInvalid", "patch", format!("Invalid value: {why}"));
            ApiError::invalid(row.group, row.kind, "", vec![cause])
        }
    }
}

/// A body that is no object of its kind, in Kubernetes' words.
fn no_object(row: &Resource, why: &str) -> ApiError {
    let (version, kind) = (row.versions[0], row.kind);
    bad(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// The fields and the size.
fn check_fields(
    ctx: &RequestContext,
    object: &mut Object,
    target: &Target,
    sent: Sent,
) -> Result<(), ApiError> {
    let size = object.to_json().len();
    if size > MAX_BYTES {
        return Err(bad(format!("the object has {size} bytes; {MAX_BYTES} are the limit")));
    }
    let row = target.row;
    let explained = ctx.field_validation == FieldValidation::Explained;
    let decoded = if explained { check::decode(row, object) } else { check::decode_known(row, object) };
    match decoded {
        Ok(unknown) if unknown.is_empty() => Ok(()),
        Ok(unknown) if explained => Err(ApiError::invalid(row.group, row.kind, object.name(), unknown)),
        Ok(unknown) => {
            let told = unknown.iter().map(|error| format!("unknown field {:?}", error.field));
            tell(ctx, row, sent, told.collect())
        }
        Err(cause) if explained || sent == Sent::Patch => {
            Err(ApiError::invalid(row.group, row.kind, object.name(), vec![cause]))
        }
        Err(cause) => Err(no_object(row, &format!("{}: {}", cause.field, cause.message))),
    }
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
