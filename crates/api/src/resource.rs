//! The resource table's shape: one [`Resource`] row per kind. Everything generic
//! (discovery, both faces of the API, defaulting, validation, tables) reads rows,
//! and only rows; a new kind is a new row and a strategy file.

use serde_json::Value;

use crate::check::Findings;
use crate::error::FieldError;
use crate::name;
use crate::object::Object;

/// One kind of object: how it is addressed, stored, checked and shown.
pub struct Resource {
    /// `""` for the core group.
    pub group: &'static str,
    /// Served versions; the first is the storage version.
    pub versions: &'static [&'static str],
    /// Such as `Deployment`.
    pub kind: &'static str,
    /// Such as `deployments`.
    pub plural: &'static str,
    /// Such as `deployment`.
    pub singular: &'static str,
    /// Such as `["deploy"]`.
    pub short_names: &'static [&'static str],
    /// Lives in a namespace.
    pub namespaced: bool,
    /// Such as `["status", "scale"]`. With `"status"`, main writes keep the old
    /// status and status writes keep everything else.
    pub subresources: &'static [&'static str],
    /// What this kind does beside what all kinds do.
    pub strategy: &'static dyn Strategy,
    /// Decodes an object as its `k8s-openapi` type: the paths of the fields that the
    /// type does not know, or the first field of a wrong type.
    pub check: fn(&Object) -> Result<Vec<String>, FieldError>,
    /// The same, in the words to refuse it with. Callers go through [`crate::check::decode`].
    pub inspect: fn(&Value) -> Result<Findings, FieldError>,
}

impl Resource {
    /// Such as `apps/v1` or `v1`, of the storage version.
    #[must_use]
    pub fn api_version(&self) -> String {
        let version = self.versions[0];
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The name in the store: `pods`, `apps/deployments`.
    #[must_use]
    pub fn storage_name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}/{}", self.group, self.plural) }
    }

    /// Whether all of its objects can be deleted by one request. Namespaces cannot, as in Kubernetes: with
    /// them goes everything that there is.
    #[must_use]
    pub fn has_deletecollection(&self) -> bool {
        !(self.group.is_empty() && self.plural == "namespaces")
    }

    /// Whether the row has a subresource.
    #[must_use]
    pub fn has_subresource(&self, name: &str) -> bool {
        self.subresources.contains(&name)
    }
}

/// What one kind does beside the generic behaviour. Every method is pure and has a
/// default that does nothing, so that a row without rules needs no file.
pub trait Strategy: Send + Sync {
    /// Fills defaults in, as the Kubernetes API reference gives them. Must be
    /// idempotent: defaulting a defaulted object changes nothing.
    fn default_fields(&self, _object: &mut Object) {}

    /// Called on create, before defaulting: drops what a creator may not set.
    fn prepare_create(&self, _object: &mut Object) {}

    /// Called on update, before defaulting: carries over what an updater leaves
    /// out and may not lose (a Service's clusterIP).
    fn prepare_update(&self, _new: &mut Object, _old: &Object) {}

    /// Whether `metadata.name` may be this text; `Err` with what would be right.
    ///
    /// # Errors
    /// The rule in Kubernetes' words.
    fn validate_name(&self, name: &str) -> Result<(), String> {
        name::dns_subdomain(name)
    }

    /// Every broken rule, on a defaulted object; `metadata` is checked elsewhere.
    fn validate(&self, _object: &Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// Every broken rule of a change (immutable fields), beside `validate`.
    fn validate_update(&self, _new: &Object, _old: &Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// Fields whose change bumps `metadata.generation`; all but metadata and status
    /// by default.
    fn counts_for_generation(&self, field: &str) -> bool {
        !matches!(field, "metadata" | "status" | "apiVersion" | "kind")
    }

    /// Seconds of grace a delete gets when the request names none.
    fn default_grace_seconds(&self, _object: &Object) -> Option<u32> {
        None
    }

    /// A value that a field selector may ask for, beside `metadata.name` and
    /// `metadata.namespace`; `None` when this kind does not have the field.
    fn selectable_field(&self, _object: &Object, _field: &str) -> Option<String> {
        None
    }

    /// The table's columns between NAME and AGE (the wide ones stand behind AGE). A kind whose
    /// table is not of this form names all of its columns, NAME and AGE among them.
    fn columns(&self) -> &'static [Column] {
        &[]
    }

    /// The cells under [`Strategy::columns`], in their order. `now` is Unix seconds.
    fn cells(&self, _object: &Object, _now: i64) -> Vec<String> {
        Vec::new()
    }
}

/// One printer column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// In capitals, as kubectl shows it.
    pub name: &'static str,
    /// Only with `-o wide`.
    pub wide: bool,
}

impl Column {
    /// A column that is always shown.
    #[must_use]
    pub const fn shown(name: &'static str) -> Self {
        Self { name, wide: false }
    }

    /// A column of `-o wide`.
    #[must_use]
    pub const fn wide(name: &'static str) -> Self {
        Self { name, wide: true }
    }
}

/// A kind without rules of its own.
pub struct Generic;

impl Strategy for Generic {}
