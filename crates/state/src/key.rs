//! What names an object in the store.

use std::fmt;
use std::sync::Arc;

/// Resource, namespace and name. Ordered in this order, so that a resource and a
/// namespace are each one contiguous range.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The row's storage name: `pods`, `apps/deployments`.
    pub resource: Arc<str>,
    /// `""` for cluster scope.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl Key {
    /// A key of its three parts.
    pub fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.into(), namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.resource, self.namespace, self.name)
    }
}
