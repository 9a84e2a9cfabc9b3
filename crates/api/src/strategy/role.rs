//! Roles and ClusterRoles.

use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};

/// The strategy of Roles.
pub(crate) struct Role;

/// The strategy of ClusterRoles.
pub(crate) struct ClusterRole;

const COLUMNS: &[Column] = &[Column::shown("NAME"), Column::shown("CREATED AT")];

impl Strategy for Role {
    fn validate_name(&self, name: &str) -> Result<(), String> {
        name::path_segment(name)
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        rules(object, true)
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        cells(object)
    }
}

impl Strategy for ClusterRole {
    fn validate_name(&self, name: &str) -> Result<(), String> {
        name::path_segment(name)
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        rules(object, false)
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
        cells(object)
    }
}

fn cells(role: &Object) -> Vec<String> {
    vec![role.name().to_owned(), role.text(&["metadata", "creationTimestamp"]).to_owned()]
}

fn rules(role: &Object, namespaced: bool) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, value) in list(role, &["rules"]).enumerate() {
        let rule = At { path: format!("rules[{index}]"), value };
        if rule.key("verbs").is_empty() {
            errors.push(rule.key("verbs").required("verbs must contain at least one value"));
        }
        let (groups, resources) = (rule.key("apiGroups"), rule.key("resources"));
        let urls = rule.key("nonResourceURLs");
        if !urls.is_empty() {
            if namespaced {
                errors.push(urls.invalid("namespaced rules cannot apply to non-resource URLs"));
            }
            if !groups.is_empty() || !resources.is_empty() || !rule.key("resourceNames").is_empty() {
                errors
                    .push(urls.invalid("rules cannot apply to both regular resources and non-resource URLs"));
            }
            continue;
        }
        if groups.is_empty() {
            errors.push(groups.required("resource rules must supply at least one api group"));
        }
        if resources.is_empty() {
            errors.push(resources.required("resource rules must supply at least one resource"));
        }
    }
    errors
}
