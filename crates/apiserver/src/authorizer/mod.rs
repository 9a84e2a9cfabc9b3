//! Who may do what: the group `system:masters` everything, a node agent what concerns
//! itself (`node.rs`), everybody what Roles and ClusterRoles grant them (`rbac.rs`).
//! Whatever nothing allows is refused.

pub(crate) mod escalation;
mod node;
mod rbac;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use xebec_api::field_selector::FieldSelector;
use xebec_state::State;

pub(crate) use rbac::Rule;
use rbac::{Grants, RESOURCES};

use crate::{MASTERS_GROUP, User};

/// What a user wants to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// Such as `list`.
    pub verb: &'a str,
    /// `""` for the core group.
    pub group: &'a str,
    /// `pods` or `pods/log`.
    pub resource: &'a str,
    /// `""` for cluster scope or all namespaces.
    pub namespace: &'a str,
    /// `""` for a collection.
    pub name: &'a str,
    /// What a list or watch restricts itself to.
    pub field_selector: &'a str,
    /// A path that is no resource's, such as `/version`; `""` for resources.
    pub path: &'a str,
}

impl<'a> Attributes<'a> {
    /// Without a field selector.
    #[must_use]
    pub fn new(verb: &'a str, group: &'a str, resource: &'a str, namespace: &'a str, name: &'a str) -> Self {
        Self { verb, group, resource, namespace, name, ..Self::default() }
    }

    /// A path that is no resource's; the verb is the HTTP method in lower case.
    #[must_use]
    pub fn of_path(verb: &'a str, path: &'a str) -> Self {
        Self { verb, path, ..Self::default() }
    }

    /// The value that a list or watch requires of a field.
    pub(crate) fn required_field(&self, field: &str) -> Option<String> {
        let selector = FieldSelector::parse(self.field_selector).ok()?;
        selector.required(field).map(str::to_owned)
    }

    /// The one object that is meant: by its name, or by a selector for it.
    pub(crate) fn object_name(&self) -> String {
        if self.name.is_empty() && matches!(self.verb, "list" | "watch") {
            return self.required_field("metadata.name").unwrap_or_default();
        }
        self.name.to_owned()
    }

    /// Kubernetes' words for a refusal.
    #[must_use]
    pub fn refusal(&self, user: &User) -> String {
        if !self.path.is_empty() {
            return format!("forbidden: User {:?} cannot {} path {:?}", user.name, self.verb, self.path);
        }
        let dot = if self.group.is_empty() { "" } else { "." };
        let mut text = format!("{}{dot}{}", self.resource, self.group);
        if !self.name.is_empty() {
            let _ = write!(text, " {:?}", self.name);
        }
        let _ = write!(
            text,
            " is forbidden: User {:?} cannot {} resource {:?} in API group {:?}",
            user.name, self.verb, self.resource, self.group
        );
        if self.namespace.is_empty() {
            text.push_str(" at the cluster scope");
        } else {
            let _ = write!(text, " in the namespace {:?}", self.namespace);
        }
        text
    }
}

/// Decides, with the compiled rules of the newest state it has seen.
#[derive(Default)]
pub struct Authorizer {
    cached: Mutex<Option<Cached>>,
}

#[derive(Clone)]
struct Cached {
    /// No role or binding changed between compilation and this revision.
    revision: u64,
    grants: Arc<Grants>,
}

impl Authorizer {
    /// Whether a user may do something, by the rules of a state.
    #[must_use]
    pub fn allows(&self, state: &State, user: &User, attributes: &Attributes<'_>) -> bool {
        user.is_in(MASTERS_GROUP)
            || node::allows(state, user, attributes)
            || self.grants(state).allow(user, attributes)
    }

    /// The compiled rules of a state, compiled anew only when a role or binding changed.
    pub(crate) fn grants(&self, state: &State) -> Arc<Grants> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unchanged = |cached: &Cached| {
            cached.revision == state.revision()
                || cached.revision < state.revision()
                    && RESOURCES.iter().all(|resource| state.changed_at(resource) <= cached.revision)
        };
        let grants = match cached.filter(unchanged) {
            Some(cached) => cached.grants,
            None => Arc::new(Grants::compile(state)),
        };
        let newest = Cached { revision: state.revision(), grants: grants.clone() };
        let mut slot = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|held| held.revision < newest.revision) {
            *slot = Some(newest);
        }
        grants
    }
}
