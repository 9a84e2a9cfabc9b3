//! Who asks, for how long, and under which audit id. No verb can be called without.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a request may take when its sender sets no deadline.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The group that may do everything.
pub const MASTERS_GROUP: &str = "system:masters";
/// The group of everybody who proved who they are.
pub const AUTHENTICATED_GROUP: &str = "system:authenticated";
/// The group of node agents.
pub const NODES_GROUP: &str = "system:nodes";
/// What a node agent's user name begins with.
pub const NODE_USER_PREFIX: &str = "system:node:";

/// An identity that was proved.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct User {
    /// The certificate's CN, or `system:serviceaccount:NAMESPACE:NAME`.
    pub name: String,
    /// The certificate's O fields, or the ServiceAccount's groups.
    pub groups: Vec<String>,
    /// The ServiceAccount's uid, `""` for a certificate.
    pub uid: String,
    /// What else a token says, such as the pod that it is bound to, by Kubernetes' own keys.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// Whether it is a member of a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|found| found == group)
    }

    /// The node's name, for a node agent.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        let name = self.name.strip_prefix(NODE_USER_PREFIX)?;
        self.is_in(NODES_GROUP).then_some(name)
    }
}

/// What every request carries.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Who asks.
    pub user: User,
    /// How long each request under it may take, from its own beginning: a loop of the
    /// leader makes many under one context. Does not end a watch.
    pub timeout: Duration,
    /// Names the request in every log line.
    pub audit_id: String,
    /// Set by the leader's own loops: the term they lead in. Such writes are never
    /// forwarded, and refused once the term is over.
    pub fence: Option<u64>,
    /// Who owns the fields that a write changes.
    pub field_manager: String,
    /// Decide and check everything, and write nothing.
    pub dry_run: bool,
    /// What becomes of fields that the kind does not have.
    pub field_validation: FieldValidation,
    /// What the sender should hear beside the answer.
    pub warnings: Warnings,
}

/// What becomes of fields that the kind does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are refused, each with a guess at what was meant.
    #[default]
    Explained,
    /// They are refused in the words of Kubernetes, as are those that stand there twice.
    Strict,
    /// They are dropped, and the sender is told; of those that stand there twice, the last one counts.
    Warn,
    /// They are dropped.
    Ignore,
}

/// Warnings that a request collects on its way. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Warnings that one answer carries; what is more says nothing new.
    const MOST: usize = 32;

    /// Adds one, unless it is there.
    pub fn add(&self, text: impl Into<String>) {
        let (mut list, text) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), text.into());
        if list.len() < Self::MOST && !list.contains(&text) {
            list.push(text);
        }
    }

    /// All of them, taken out.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RequestContext {
    /// A user's request with the default timeout.
    #[must_use]
    pub fn new(user: User, audit_id: String) -> Self {
        let field_manager = user.name.rsplit(':').next().unwrap_or_default().to_owned();
        Self {
            user,
            timeout: DEFAULT_TIMEOUT,
            audit_id,
            fence: None,
            field_manager,
            dry_run: false,
            field_validation: FieldValidation::default(),
            warnings: Warnings::default(),
        }
    }

    /// A loop of the leader, such as `deployment-controller`, in its term.
    #[must_use]
    pub fn system(component: &str, term: u64) -> Self {
        Self { fence: Some(term), ..Self::internal(component) }
    }

    /// This master itself, at bootstrap or when it registers something: may do
    /// everything and is not bound to a term.
    #[must_use]
    pub fn internal(component: &str) -> Self {
        let user = User {
            name: format!("system:xebec:{component}"),
            groups: vec![MASTERS_GROUP.into(), AUTHENTICATED_GROUP.into()],
            ..User::default()
        };
        let mut context = Self::new(user, format!("xebec:{component}"));
        context.field_manager = component.to_owned();
        context
    }

    /// With another timeout.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}
