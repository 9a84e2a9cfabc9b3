//! What a controller is to its driver: which keys a change touches, and what to do
//! about one key.

use jiff::Timestamp;
use xebec_api::object::Object;

use crate::plan::Plan;
use crate::view::View;

/// What a controller reconciles: one object of the kind that `resource` names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The storage name, such as `apps/deployments`.
    pub resource: String,
    /// `""` for cluster scope.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl ObjectKey {
    /// A key.
    pub fn new(resource: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { resource: resource.into(), namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object that is stored under `resource`.
    #[must_use]
    pub fn of(resource: &str, object: &Object) -> Self {
        Self::new(resource, object.namespace(), object.name())
    }
}

/// One control loop, without its loop.
///
/// The driver keeps a queue of keys without duplicates for each controller, fills it
/// from [`Controller::initial`] when it becomes the leader and from [`Controller::keys`]
/// for every event, never reconciles one key twice at the same time, and calls
/// [`Controller::reconcile`] only on a view that includes all that it wrote itself.
pub trait Controller: Send + Sync {
    /// A short name for logs, events and the writer's user name, such as `deployment`.
    fn name(&self) -> &'static str;

    /// The keys that a change of `object` touches: the new object, or the last one
    /// when it was deleted (the view then no longer has it).
    fn keys(&self, view: &dyn View, resource: &str, object: &Object) -> Vec<ObjectKey>;

    /// The writes that bring the state closer to what the key's object asks for.
    fn reconcile(&self, view: &dyn View, key: &ObjectKey, now: Timestamp) -> Plan;

    /// Every key there is, for a new leader.
    fn initial(&self, view: &dyn View) -> Vec<ObjectKey>;
}
