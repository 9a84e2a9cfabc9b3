//! The options of each verb, and the answers that are more than an object.

use std::time::Duration;

use serde_json::Value;
use xebec_api::error::ApiError;
use xebec_api::object::Object;

/// What is done, as RBAC rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Read one.
    Get,
    /// Read many.
    List,
    /// Follow many.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
    /// Remove many.
    DeleteCollection,
}

impl Verb {
    /// As RBAC rules spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// A change to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386.
    Merge(Value),
    /// RFC 6902.
    Json(Value),
    /// Kubernetes' own: merges lists by key, and takes directives.
    Strategic(Value),
}

/// Of delete.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DeleteOptions {
    /// `None` for the kind's default, 0 for at once.
    pub grace_seconds: Option<u64>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only the object at this version.
    pub resource_version: Option<String>,
    /// What happens to dependents.
    pub propagation: Propagation,
}

/// What happens to the objects that name a deleted one as their owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Propagation {
    /// They go afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// Of list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListOptions {
    /// Such as `app=web`.
    pub label_selector: String,
    /// Such as `spec.nodeName=n1`.
    pub field_selector: String,
    /// Objects a page, 0 for all.
    pub limit: usize,
    /// From the page before.
    pub continue_token: String,
    /// `""` for linearizable, `"0"` for this master's own state, else not older than that.
    pub resource_version: String,
    /// What was at exactly that revision, as long as it can still be told.
    pub exact: bool,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Page {
    /// In order of namespace and name.
    pub items: Vec<Object>,
    /// The revision that all pages show.
    pub revision: u64,
    /// For the next page, `""` at the end.
    pub continue_token: String,
    /// Behind this page, 0 when unknown.
    pub remaining: u64,
}

/// Of watch.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WatchOptions {
    /// Such as `app=web`.
    pub label_selector: String,
    /// Such as `spec.nodeName=n1`.
    pub field_selector: String,
    /// `""` or `"0"`: what is there first, as ADDED; else the changes behind it.
    pub resource_version: String,
    /// What is there first, as ADDED: `None` where there is no revision to begin behind.
    pub initial_events: Option<bool>,
    /// Send a BOOKMARK now and then.
    pub bookmarks: bool,
    /// When to end; `None` for never.
    pub timeout: Option<Duration>,
}

/// What a watch tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// It is there, or matches now.
    Added,
    /// It changed and matched before.
    Modified,
    /// It is gone, or matches no more.
    Deleted,
    /// Nothing but a revision to resume from.
    Bookmark,
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// What happened.
    pub kind: WatchKind,
    /// The object after it; before it for [`WatchKind::Deleted`].
    pub object: Object,
    /// Resume from here.
    pub revision: u64,
}

/// A stream of events; an error ends it.
pub type WatchStream = futures::stream::BoxStream<'static, Result<WatchEvent, ApiError>>;

/// A decision of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's uid, `""` for whichever has the name.
    pub uid: String,
    /// Where it goes.
    pub node: String,
}
