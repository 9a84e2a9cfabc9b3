//! Is this an object of the kind that the request is about?

use xebec_api::check;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;

use crate::verbs::Target;

/// The largest object, in bytes of JSON.
const MOST_BYTES: usize = 3 << 20;

/// Checks kind, namespace, types and unknown fields; fills in what the target says.
pub(crate) fn admit(target: &Target, object: &mut Object) -> Result<(), ApiError> {
    let row = target.row;
    fill(object, "apiVersion", &row.api_version())?;
    fill(object, "kind", row.kind)?;
    if row.namespaced {
        match (object.namespace(), target.namespace.as_str()) {
            ("", "") => {
                return Err(ApiError::new(
                    Reason::BadRequest,
                    format!("metadata.namespace: {} live in one", row.plural),
                ));
            }
            ("", asked) => {
                let asked = asked.to_owned();
                object.set(&["metadata", "namespace"], asked);
            }
            (stated, asked) if !asked.is_empty() && stated != asked => {
                let message =
                    format!("metadata.namespace: it is {stated:?}, but the request is for {asked:?}");
                return Err(ApiError::new(Reason::BadRequest, message));
            }
            _ => {}
        }
    }
    if !target.name.is_empty() && target.subresource.is_empty() {
        match object.name() {
            "" => object.set(&["metadata", "name"], target.name.as_str()),
            name if name != target.name => {
                let message =
                    format!("metadata.name: it is {name:?}, but the request is for {:?}", target.name);
                return Err(ApiError::new(Reason::BadRequest, message));
            }
            _ => {}
        }
    }
    let size = object.to_json().len();
    if size > MOST_BYTES {
        let message = format!("the object has {size} bytes, more than {MOST_BYTES}");
        return Err(ApiError::new(Reason::BadRequest, message));
    }
    strict(target, object)
}

fn fill(object: &mut Object, field: &str, wanted: &str) -> Result<(), ApiError> {
    match object.text(&[field]) {
        "" => {
            object.set(&[field], wanted);
            Ok(())
        }
        found if found == wanted => Ok(()),
        found => Err(ApiError::new(
            Reason::BadRequest,
            format!("{field}: it is {found:?}, but the request is for {wanted:?}"),
        )),
    }
}

/// A field that the kind does not have is a typing mistake until shown otherwise.
fn strict(target: &Target, object: &mut Object) -> Result<(), ApiError> {
    let row = target.row;
    let unknown = check::decode(row, object).unwrap_or_else(|error| vec![error]);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(row.group, row.kind, object.name(), unknown))
}
