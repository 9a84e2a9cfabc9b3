//! The rules of requests and limits.

use std::cmp::Ordering;

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::quantity::Quantity;

/// `resources` of a container.
pub(super) fn validate(resources: &At<'_>, errors: &mut Vec<FieldError>) {
    let (requests, limits) = (resources.key("requests"), resources.key("limits"));
    for list in [&limits, &requests] {
        amounts(list, errors);
    }
    for (resource, request) in requests.entries() {
        let limit = limits.key(resource);
        let (Some(asked), Some(most)) = (quantity(&request), quantity(&limit)) else { continue };
        let native = !resource.contains('/') && !resource.starts_with("hugepages-");
        match asked.partial_cmp(&most) {
            Some(Ordering::Greater) => errors.push(FieldError::invalid(
                requests.path.clone(),
                format!(
                    "Invalid value: {}: must be less than or equal to {resource} limit of {most}",
                    request.value
                ),
            )),
            Some(Ordering::Less) if !native => errors.push(FieldError::invalid(
                requests.path.clone(),
                format!("Invalid value: {}: must be equal to {resource} limit of {most}", request.value),
            )),
            _ => {}
        }
    }
}

fn amounts(list: &At<'_>, errors: &mut Vec<FieldError>) {
    for (resource, amount) in list.entries() {
        if let Err(why) = name::qualified(resource) {
            errors.push(amount.invalid(&why));
        } else if !is_known(resource) {
            errors.push(amount.invalid("must be a standard resource for containers"));
        }
        let Some(value) = quantity(&amount) else { continue };
        if value.is_negative() {
            errors.push(amount.invalid("must be greater than or equal to 0"));
        }
        if resource.contains('/') && value.millis() % 1000 != 0 {
            errors.push(amount.invalid("must be an integer"));
        }
    }
}

fn is_known(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory" | "ephemeral-storage")
        || resource.starts_with("hugepages-")
        || resource.contains('/')
}

fn quantity(amount: &At<'_>) -> Option<Quantity> {
    Quantity::parse(amount.value.as_str()?).ok()
}
