//! What a controller answers with: writes as data, in the order in which to do them.

use std::time::Duration;

use xebec_api::object::Object;

use crate::resources::EVENTS;
use crate::view::View;

/// The writes of one reconcile. The driver executes them in order, stops at the first
/// that fails, and reconciles the key again later.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In order. Creates in a row do not depend on each other.
    pub actions: Vec<Action>,
    /// Reconcile the key again after this long, even if nothing changes.
    pub requeue_after: Option<Duration>,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates an object; `metadata.generateName` asks for a generated name.
    Create(Object),
    /// Replaces an object at its `metadata.resourceVersion`.
    Update(Object),
    /// Replaces one part of an object (`status`, `finalize`) at its resourceVersion.
    UpdateSubresource(&'static str, Object),
    /// Deletes an object, if it still has this uid.
    Delete {
        /// The storage name.
        resource: String,
        /// `""` for cluster scope.
        namespace: String,
        /// The object's name.
        name: String,
        /// A precondition.
        uid: String,
        /// `None` for the object's own default.
        grace_seconds: Option<u32>,
        /// Its dependents go first; otherwise they go afterwards.
        foreground: bool,
    },
    /// Records an Event; counted up, not repeated, when it was recorded before.
    Record(EventRecord),
}

/// An Event to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// What it is about.
    pub involved: Involved,
    /// One word in CamelCase, such as `SuccessfulCreate`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// Normal or Warning.
    pub kind: EventKind,
    /// Who says so, such as `replicaset-controller`.
    pub component: &'static str,
}

/// The type of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// All is well.
    Normal,
    /// Somebody should look.
    Warning,
}

impl EventKind {
    /// As `Event.type` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The object that an Event is about, as in `Event.involvedObject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Involved {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// `""` for cluster scope.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The object's uid.
    pub uid: String,
}

impl Involved {
    /// A reference to an object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self {
            api_version: object.api_version().to_owned(),
            kind: object.kind().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            uid: object.uid().to_owned(),
        }
    }
}

impl Plan {
    /// Nothing to do.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Nothing to write, and nothing to wait for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.requeue_after.is_none()
    }

    pub(crate) fn create(&mut self, object: Object) {
        self.actions.push(Action::Create(object));
    }

    /// Writes `new` unless it equals what is stored.
    pub(crate) fn update(&mut self, old: &Object, new: Object) {
        if new != *old {
            self.actions.push(Action::Update(new));
        }
    }

    /// Writes the status of `new` unless it equals what is stored.
    pub(crate) fn update_status(&mut self, old: &Object, new: Object) {
        if new.get(&["status"]) != old.get(&["status"]) {
            self.actions.push(Action::UpdateSubresource("status", new));
        }
    }

    /// Deletes an object, unless it is on its way out already.
    pub(crate) fn delete(&mut self, resource: &str, object: &Object) {
        if !object.is_terminating() {
            self.push_delete(resource, object, None, false);
        }
    }

    /// As [`Plan::delete`], once the object's dependents are gone.
    pub(crate) fn delete_in_foreground(&mut self, resource: &str, object: &Object) {
        if !object.is_terminating() {
            self.push_delete(resource, object, None, true);
        }
    }

    /// Deletes an object with a grace of its own, even one that is on its way out.
    pub(crate) fn delete_within(&mut self, resource: &str, object: &Object, grace_seconds: Option<u32>) {
        self.push_delete(resource, object, grace_seconds, false);
    }

    fn push_delete(&mut self, resource: &str, object: &Object, grace_seconds: Option<u32>, foreground: bool) {
        self.actions.push(Action::Delete {
            resource: resource.to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            uid: object.uid().to_owned(),
            grace_seconds,
            foreground,
        });
    }

    pub(crate) fn record(&mut self, component: &'static str, about: &Object, reason: &str, message: String) {
        self.push_event(EventKind::Normal, component, about, reason, message);
    }

    pub(crate) fn warn(&mut self, component: &'static str, about: &Object, reason: &str, message: String) {
        self.push_event(EventKind::Warning, component, about, reason, message);
    }

    /// As [`Plan::warn`], unless the very same is written already: for what is seen at every look.
    pub(crate) fn warn_once(
        &mut self,
        view: &dyn View,
        component: &'static str,
        about: &Object,
        reason: &str,
        message: String,
    ) {
        let namespace =
            Some(about.namespace()).filter(|namespace| !namespace.is_empty()).unwrap_or("default");
        let told = view.list(EVENTS, Some(namespace)).iter().any(|event| {
            event.text(&["involvedObject", "uid"]) == about.uid()
                && event.text(&["reason"]) == reason
                && event.text(&["message"]) == message
        });
        if !told {
            self.warn(component, about, reason, message);
        }
    }

    fn push_event(
        &mut self,
        kind: EventKind,
        component: &'static str,
        about: &Object,
        reason: &str,
        message: String,
    ) {
        let involved = Involved::of(about);
        self.actions.push(Action::Record(EventRecord {
            involved,
            reason: reason.to_owned(),
            message,
            kind,
            component,
        }));
    }

    /// Asks to come back after `delay`, or earlier if somebody asked for that.
    pub(crate) fn requeue(&mut self, delay: Duration) {
        self.requeue_after = Some(self.requeue_after.map_or(delay, |earlier| earlier.min(delay)));
    }
}
