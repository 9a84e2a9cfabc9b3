//! Every broken rule of an object at once, on its defaulted form.

use xebec_api::error::ApiError;
use xebec_api::metadata;
use xebec_api::object::Object;
use xebec_api::resource::Resource;

pub(crate) fn create(row: &Resource, object: &Object) -> Result<(), ApiError> {
    let mut causes = metadata::validate(row, object);
    causes.extend(row.strategy.validate(object));
    refuse(row, object, causes)
}

pub(crate) fn update(row: &Resource, new: &Object, old: &Object) -> Result<(), ApiError> {
    let mut causes = metadata::validate(row, new);
    causes.extend(row.strategy.validate(new));
    causes.extend(metadata::validate_update(row, new, old));
    causes.extend(row.strategy.validate_update(new, old));
    refuse(row, new, causes)
}

fn refuse(
    row: &Resource,
    object: &Object,
    causes: Vec<xebec_api::error::FieldError>,
) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(row.group, row.kind, object.name(), causes))
}
