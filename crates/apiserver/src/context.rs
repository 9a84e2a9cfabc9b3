//! Who asks, and on what terms. No verb can be called without one.

/// Somebody who was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Such as `xebec-admin`, `system:node:n1`, `system:serviceaccount:default:web`.
    pub name: String,
    /// Such as `system:masters`.
    pub groups: Vec<String>,
}

impl User {
    /// The node's name, when this is a node's agent.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        let is_node = self.groups.iter().any(|group| group == "system:nodes");
        self.name.strip_prefix("system:node:").filter(|_| is_node)
    }
}

/// One request's terms.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Who asks.
    pub user: User,
    /// Names the request in logs.
    pub audit_id: String,
    /// Who owns the fields that are written, for managedFields.
    pub field_manager: String,
    /// Set for the leader's own loops: the term outside of which nothing may happen.
    pub fence: Option<u64>,
    /// Decide and validate, but write nothing.
    pub dry_run: bool,
}

impl RequestContext {
    /// The terms of an authenticated request.
    #[must_use]
    pub fn new(user: User, audit_id: String) -> Self {
        let field_manager = user.name.rsplit(':').next().unwrap_or_default().to_owned();
        Self { user, audit_id, field_manager, fence: None, dry_run: false }
    }

    /// The terms of one of the leader's loops, in the term it leads.
    #[must_use]
    pub fn system(component: &str, term: u64) -> Self {
        let user =
            User { name: format!("system:xebec:{component}"), groups: vec!["system:masters".to_owned()] };
        Self {
            user,
            audit_id: String::new(),
            field_manager: format!("xebec-{component}"),
            fence: Some(term),
            dry_run: false,
        }
    }
}
