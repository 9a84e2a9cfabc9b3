//! What every command needs: the client, and the namespace that is meant when none is said.

use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::Client;

/// One run's connection to a cluster.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) client: Client,
    /// `-n`, or the kubeconfig's.
    pub(crate) namespace: String,
    /// It came from `-n`: a manifest may not name another one.
    pub(crate) namespace_is_forced: bool,
    /// Unix seconds, for ages.
    pub(crate) now: fn() -> i64,
}

impl Session {
    /// The same, in the namespace of this object.
    pub(crate) fn at(&self, object: &Object) -> Self {
        Self { namespace: object.namespace().to_owned(), ..self.clone() }
    }

    /// The namespace of an object of this kind, `""` for cluster scope.
    pub(crate) fn namespace_of(&self, row: &Resource) -> &str {
        if row.namespaced { &self.namespace } else { "" }
    }
}

/// `deployment.apps/web`, as kubectl names objects.
pub(crate) fn reference(row: &Resource, name: &str) -> String {
    let dot = if row.group.is_empty() { "" } else { "." };
    format!("{}{dot}{}/{name}", row.singular, row.group)
}

/// Takes out what only machines read.
pub(crate) fn without_managed_fields(mut object: Object) -> Object {
    object.remove(&["metadata", "managedFields"]);
    object
}
