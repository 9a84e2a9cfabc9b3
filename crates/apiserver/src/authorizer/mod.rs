//! May a user do something? Members of `system:masters` may do anything; nodes what
//! concerns them; everybody what roles bound to them allow.

mod node;
mod rbac;

use xebec_api::field_selector::FieldSelector;
use xebec_state::State;

use crate::context::User;

/// What is asked.
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: &'a str,
    /// The API group, `""` for core.
    pub group: &'a str,
    /// The plural.
    pub resource: &'a str,
    /// `""` for the object itself.
    pub subresource: &'a str,
    /// `""` for cluster scope and for all namespaces.
    pub namespace: &'a str,
    /// `""` for a collection.
    pub name: &'a str,
    /// What narrows a collection.
    pub fields: &'a FieldSelector,
}

/// Decides from the roles and bindings of a state.
#[derive(Default)]
pub struct Authorizer {
    rules: rbac::RuleCache,
}

impl Authorizer {
    /// Whether it is allowed.
    #[must_use]
    pub fn allows(&self, asked: &Attributes<'_>, state: &State) -> bool {
        if asked.user.groups.iter().any(|group| group == "system:masters") {
            return true;
        }
        if asked.user.node().is_some_and(|node| node::allows(node, asked, state)) {
            return true;
        }
        self.rules.of(state).allow(asked)
    }
}
