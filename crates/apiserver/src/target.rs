//! What a request is about: a collection, an object, or a subresource of it.

use std::fmt;

use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table;
use xebec_state::Key;

/// A row of the table and where in it.
#[derive(Clone)]
pub struct Target {
    /// The kind.
    pub row: &'static Resource,
    /// `""` for cluster scope, or for every namespace in list and watch.
    pub namespace: String,
    /// `""` for the collection.
    pub name: String,
    /// `""` for the object itself.
    pub subresource: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.resource(), self.namespace, self.name)
    }
}

impl Target {
    /// A collection; an empty namespace means cluster scope or all namespaces.
    #[must_use]
    pub fn collection(row: &'static Resource, namespace: &str) -> Self {
        let namespace = if row.namespaced { namespace } else { "" };
        Self { row, namespace: namespace.into(), name: String::new(), subresource: String::new() }
    }

    /// One object.
    #[must_use]
    pub fn object(row: &'static Resource, namespace: &str, name: &str) -> Self {
        Self { name: name.into(), ..Self::collection(row, namespace) }
    }

    /// The target that an object names itself by `apiVersion`, `kind` and metadata.
    ///
    /// # Errors
    /// `NotFound` for a kind that is not in the table.
    pub fn of(object: &Object) -> Result<Self, ApiError> {
        let row = table::by_kind(object.api_version(), object.kind()).ok_or_else(|| {
            let message =
                format!("no matches for kind {:?} in version {:?}", object.kind(), object.api_version());
            ApiError::new(Reason::NotFound, message)
        })?;
        Ok(Self::object(row, object.namespace(), object.name()))
    }

    /// In the words of a request; an empty version means the storage version.
    ///
    /// # Errors
    /// `NotFound` for a resource, version or subresource that is not served;
    /// `BadRequest` for a namespace where none belongs.
    pub fn new(
        group: &str,
        version: &str,
        plural: &str,
        namespace: &str,
        name: &str,
        subresource: &str,
    ) -> Result<Self, ApiError> {
        let row = table::find(group, plural).or_else(|| table::find_review(group, plural));
        let row = row.filter(|row| version.is_empty() || row.versions.contains(&version));
        let row = row.ok_or_else(|| unknown(group, version, plural))?;
        if !subresource.is_empty() && !row.has_subresource(subresource) {
            return Err(unknown(group, version, &format!("{plural}/{subresource}")));
        }
        let target = Self { subresource: subresource.into(), ..Self::object(row, "", name) };
        let target = Self { namespace: namespace.into(), ..target };
        target.check_scope(false)?;
        Ok(target)
    }

    /// The same object's subresource.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        subresource.clone_into(&mut self.subresource);
        self
    }

    /// Its key in the store.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(&self.row.storage_name(), &self.namespace, &self.name)
    }

    /// `pods` or `pods/status`, as RBAC rules name it.
    #[must_use]
    pub fn resource(&self) -> String {
        if self.subresource.is_empty() {
            self.row.plural.to_owned()
        } else {
            format!("{}/{}", self.row.plural, self.subresource)
        }
    }

    /// The namespace whose roles decide about it. As in Kubernetes, a Namespace lies within itself, so
    /// that a role in it gives rights to it; one that is to be made does not yet.
    pub(crate) fn rights_namespace(&self, verb: &str) -> &str {
        let is_namespace = self.row.group.is_empty() && self.row.plural == "namespaces";
        if is_namespace && verb != "create" { &self.name } else { &self.namespace }
    }

    /// `pods "web" not found`.
    #[must_use]
    pub fn not_found(&self) -> ApiError {
        ApiError::not_found(self.row.group, self.row.plural, &self.name)
    }

    /// `Operation cannot be fulfilled on pods "web": …`.
    #[must_use]
    pub fn conflict(&self, why: &str) -> ApiError {
        let mut error = ApiError::conflict(self.row.group, self.row.plural, &self.name);
        let resource = self.qualified();
        error.message = format!("Operation cannot be fulfilled on {resource} {:?}: {why}", self.name);
        error
    }

    /// `deployments.apps` or `pods`.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.row.group.is_empty() {
            self.resource()
        } else {
            format!("{}.{}", self.resource(), self.row.group)
        }
    }

    /// Refuses a namespace where there is none, and the lack of one where one is needed.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn check_scope(&self, needs_namespace: bool) -> Result<(), ApiError> {
        let bad = |message: String| Err(ApiError::new(Reason::BadRequest, message));
        if !self.row.namespaced && !self.namespace.is_empty() {
            return bad(format!("{} are cluster-scoped: leave the namespace out", self.qualified()));
        }
        if self.row.namespaced && self.namespace.is_empty() && needs_namespace {
            return bad(format!("a namespace is required for {}", self.qualified()));
        }
        Ok(())
    }

    /// Refuses an empty name.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn check_name(&self) -> Result<(), ApiError> {
        if self.name.is_empty() {
            return Err(ApiError::new(Reason::BadRequest, "resource name may not be empty"));
        }
        Ok(())
    }
}

fn unknown(group: &str, version: &str, plural: &str) -> ApiError {
    let group = if group.is_empty() { "core" } else { group };
    let version = if version.is_empty() { String::new() } else { format!(" in version {version:?}") };
    let message = format!(
        "the server has no resource {plural:?} in group {group:?}{version}; `Discover` lists what there is"
    );
    ApiError::new(Reason::NotFound, message)
}
