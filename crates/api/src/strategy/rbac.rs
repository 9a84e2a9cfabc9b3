//! Roles and their bindings: their names are path segments, so that
//! `system:node-proxier` is one.

use crate::name;
use crate::resource::Strategy;

pub(crate) struct Rbac;

impl Strategy for Rbac {
    fn validate_name(&self, name: &str) -> Result<(), String> {
        name::path_segment(name)
    }
}
