//! What a request is about.

use xebec_api::error::{ApiError, Reason};
use xebec_api::resource::Resource;
use xebec_api::table;
use xebec_state::Key;

/// A collection, an object, or a subresource of one.
#[derive(Clone)]
pub struct Target {
    /// The kind.
    pub row: &'static Resource,
    /// `""` for cluster scope, or for all namespaces.
    pub namespace: String,
    /// `""` for a collection.
    pub name: String,
    /// `""` for the object itself.
    pub subresource: String,
}

impl Target {
    /// The target of a request's words; an empty version is the storage version.
    ///
    /// # Errors
    /// `NotFound` for a resource, a version or a subresource that there is not;
    /// `BadRequest` for a namespace where none belongs.
    pub fn new(
        group: &str,
        version: &str,
        plural: &str,
        namespace: &str,
        name: &str,
        sub: &str,
    ) -> Result<Self, ApiError> {
        let row = table::find(group, plural).ok_or_else(|| unknown(group, plural))?;
        if !version.is_empty() && !row.versions.contains(&version) {
            let message =
                format!("the server has no {plural} in version {version:?}: it has {:?}", row.versions);
            return Err(ApiError::new(Reason::NotFound, message));
        }
        if !sub.is_empty() && !row.has_subresource(sub) {
            let message = format!("{plural} have no subresource {sub:?}: they have {:?}", row.subresources);
            return Err(ApiError::new(Reason::NotFound, message));
        }
        if !row.namespaced && !namespace.is_empty() {
            let message = format!("namespace: {plural} live outside of namespaces: leave it empty");
            return Err(ApiError::new(Reason::BadRequest, message));
        }
        let [namespace, name, subresource] = [namespace, name, sub].map(str::to_owned);
        Ok(Self { row, namespace, name, subresource })
    }

    /// An object's target, by row.
    #[must_use]
    pub fn object(row: &'static Resource, namespace: &str, name: &str) -> Self {
        let namespace = if row.namespaced { namespace } else { "" };
        Self { row, namespace: namespace.to_owned(), name: name.to_owned(), subresource: String::new() }
    }

    /// The same with a subresource.
    #[must_use]
    pub fn subresource(mut self, subresource: &str) -> Self {
        subresource.clone_into(&mut self.subresource);
        self
    }

    pub(crate) fn key(&self) -> Key {
        Key::new(&self.row.storage_name(), &self.namespace, &self.name)
    }

    /// One object must be named.
    pub(crate) fn named(&self) -> Result<(), ApiError> {
        if self.name.is_empty() {
            return Err(ApiError::new(
                Reason::BadRequest,
                format!("name: say which of the {}", self.row.plural),
            ));
        }
        if self.row.namespaced && self.namespace.is_empty() {
            return Err(ApiError::new(
                Reason::BadRequest,
                format!("namespace: {} live in one", self.row.plural),
            ));
        }
        Ok(())
    }

    pub(crate) fn not_found(&self) -> ApiError {
        ApiError::not_found(self.row.group, self.row.plural, &self.name)
    }

    pub(crate) fn conflict(&self) -> ApiError {
        ApiError::conflict(self.row.group, self.row.plural, &self.name)
    }
}

fn unknown(group: &str, plural: &str) -> ApiError {
    let hint = table::resolve(plural)
        .map(|row| format!(": did you mean group {:?}, resource {:?}?", row.group, row.plural));
    let hint = hint.unwrap_or_default();
    ApiError::new(Reason::NotFound, format!("the server has no resource {plural:?} in group {group:?}{hint}"))
}
