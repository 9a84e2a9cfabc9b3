//! RoleBindings and ClusterRoleBindings.

use serde_json::Value;

use super::defaults::{each, fill, inner};
use crate::at::At;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;
use crate::pod::list;
use crate::resource::{Column, Strategy};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The strategy of RoleBindings.
pub(crate) struct RoleBinding;

/// The strategy of ClusterRoleBindings.
pub(crate) struct ClusterRoleBinding;

const COLUMNS: &[Column] =
    &[Column::shown("ROLE"), Column::wide("USERS"), Column::wide("GROUPS"), Column::wide("SERVICEACCOUNTS")];

macro_rules! binding {
    ($type:ty, $roles:expr) => {
        impl Strategy for $type {
            fn validate_name(&self, name: &str) -> Result<(), String> {
                name::path_segment(name)
            }

            fn default_fields(&self, object: &mut Object) {
                default_groups(object);
            }

            fn validate(&self, object: &Object) -> Vec<FieldError> {
                validate(object, $roles)
            }

            fn validate_update(&self, new: &Object, old: &Object) -> Vec<FieldError> {
                let (new, old) = (At::field(new, "roleRef"), At::field(old, "roleRef"));
                let changed = new.value != old.value;
                changed.then(|| new.invalid("cannot change roleRef")).into_iter().collect()
            }

            fn columns(&self) -> &'static [Column] {
                COLUMNS
            }

            fn cells(&self, object: &Object, _now: i64) -> Vec<String> {
                cells(object)
            }
        }
    };
}

binding!(RoleBinding, &["ClusterRole", "Role"]);
binding!(ClusterRoleBinding, &["ClusterRole"]);

fn default_groups(binding: &mut Object) {
    let map = binding.as_map_mut();
    if let Some(role) = inner(map, "roleRef") {
        fill(role, "apiGroup", GROUP);
    }
    for subject in each(map, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            fill(subject, "apiGroup", GROUP);
        }
    }
}

fn validate(binding: &Object, roles: &[&str]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let role = At::field(binding, "roleRef");
    role.key("apiGroup").needs_one_of(&[GROUP], &mut errors);
    role.key("kind").needs_one_of(roles, &mut errors);
    role.key("name").needs(name::path_segment, &mut errors);
    for (index, value) in list(binding, &["subjects"]).enumerate() {
        let subject = At { path: format!("subjects[{index}]"), value };
        if subject.key("name").is_empty() {
            errors.push(subject.key("name").required(""));
        }
        subject.key("kind").needs_one_of(&["ServiceAccount", "User", "Group"], &mut errors);
        let group = subject.key("apiGroup");
        if subject.text_of("kind") == "ServiceAccount" {
            subject.key("name").obeys(name::dns_subdomain, &mut errors);
            group.one_of(&[""], &mut errors);
            if subject.key("namespace").is_empty() {
                errors.push(subject.key("namespace").required(""));
            }
        } else {
            group.one_of(&[GROUP], &mut errors);
        }
    }
    errors
}

fn cells(binding: &Object) -> Vec<String> {
    let subjects = |kind: &str| {
        let subjects = list(binding, &["subjects"]).filter(|s| s.get("kind") == Some(&kind.into()));
        let names = subjects.map(|subject| {
            let text = |field: &str| subject.get(field).and_then(Value::as_str).unwrap_or_default();
            if kind == "ServiceAccount" {
                format!("{}/{}", text("namespace"), text("name"))
            } else {
                text("name").to_owned()
            }
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let role = format!("{}/{}", binding.text(&["roleRef", "kind"]), binding.text(&["roleRef", "name"]));
    vec![role, subjects("User"), subjects("Group"), subjects("ServiceAccount")]
}
