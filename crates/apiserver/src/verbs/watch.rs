//! Changes to a collection from a revision on. A watcher holds a revision and reads
//! the ring of events, so a slow one costs nothing and is told to list again.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use serde_json::json;
use tokio::sync::watch;
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_state::{Event, EventKind};

use crate::context::RequestContext;
use crate::server::ApiServer;
use crate::store::Store;
use crate::verbs::Target;
use crate::verbs::list::Selectors;
use crate::versioned;

/// Between two bookmarks on a quiet watch.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);
/// How long a revision that this process has not applied yet is waited for.
const CATCH_UP: Duration = Duration::from_secs(3);

/// What a watch asks for.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// In text form, `""` for all.
    pub label_selector: String,
    /// In text form, `""` for all.
    pub field_selector: String,
    /// `""` and `"0"`: the present objects first.
    pub resource_version: String,
    /// Send bookmarks.
    pub bookmarks: bool,
    /// End after this long.
    pub timeout: Option<Duration>,
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchItem {
    /// The object came into what is watched.
    Added(Object),
    /// It changed.
    Modified(Object),
    /// It left what is watched, or is gone; as it was last.
    Deleted(Object),
    /// Nothing happened up to this revision.
    Bookmark(u64),
}

/// A watch's items; an error is its last.
pub type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchItem, ApiError>> + Send>>;

struct Watcher {
    store: Arc<dyn Store>,
    target: Target,
    selectors: Selectors,
    cursor: u64,
    ready: VecDeque<WatchItem>,
    revisions: watch::Receiver<u64>,
    bookmarks: bool,
    until: Option<tokio::time::Instant>,
    ended: bool,
}

impl ApiServer {
    /// Watches a collection.
    ///
    /// # Errors
    /// `Expired` when events behind the revision are gone, `Timeout` for one that is
    /// not reached in time, `BadRequest`, `Forbidden`.
    pub async fn watch(
        &self,
        context: &RequestContext,
        target: &Target,
        options: &WatchOptions,
    ) -> Result<WatchStream, ApiError> {
        let selectors = Selectors::parse(&options.label_selector, &options.field_selector)?;
        self.authorize_selected(context, "watch", target, &selectors.fields)?;
        let from = versioned::parse_revision(&options.resource_version)?.filter(|revision| *revision > 0);
        let revisions = self.store.revisions();
        let mut watcher = Watcher {
            store: self.store.clone(),
            target: target.clone(),
            selectors,
            cursor: 0,
            ready: VecDeque::new(),
            revisions,
            bookmarks: options.bookmarks,
            until: options.timeout.map(|timeout| tokio::time::Instant::now() + timeout),
            ended: false,
        };
        match from {
            Some(revision) => {
                self.wait_for(revision).await?;
                watcher.cursor = revision;
                watcher.fill()?;
            }
            None => {
                self.store.barrier().await?;
                watcher.fill_present()?;
            }
        }
        Ok(Box::pin(futures::stream::unfold(watcher, Watcher::next)))
    }

    /// Waits until this process has applied a revision.
    pub(crate) async fn wait_for(&self, revision: u64) -> Result<(), ApiError> {
        let mut revisions = self.store.revisions();
        let reached = revisions.wait_for(|now| *now >= revision);
        match tokio::time::timeout(CATCH_UP, reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ApiError::new(
                Reason::Timeout,
                format!("Too large resource version: {revision} is not reached yet"),
            )),
        }
    }
}

impl Watcher {
    async fn next(mut self) -> Option<(Result<WatchItem, ApiError>, Self)> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some((Ok(item), self));
            }
            if self.ended {
                return None;
            }
            tokio::select! {
                changed = self.revisions.changed() => changed.ok()?,
                () = tokio::time::sleep(BOOKMARK_EVERY), if self.bookmarks => {
                    self.ready.push_back(WatchItem::Bookmark(self.cursor));
                    continue;
                }
                () = at(self.until) => return None,
            }
            if let Err(error) = self.fill() {
                self.ended = true;
                return Some((Err(error), self));
            }
        }
    }

    /// The present objects as ADDED.
    fn fill_present(&mut self) -> Result<(), ApiError> {
        let state = self.store.state();
        let namespace = Some(self.target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        for (_, _, entry) in state.list(&self.target.row.storage_name(), namespace) {
            let object = versioned::to_object(entry)?;
            if self.selectors.matches(&self.target, &object)? {
                self.ready.push_back(WatchItem::Added(object));
            }
        }
        self.cursor = state.revision();
        if self.bookmarks {
            self.ready.push_back(WatchItem::Bookmark(self.cursor));
        }
        Ok(())
    }

    /// What happened since the cursor.
    fn fill(&mut self) -> Result<(), ApiError> {
        self.revisions.borrow_and_update();
        let state = self.store.state();
        let events = state.events_after(&self.target.row.storage_name(), self.cursor);
        let events = events.map_err(|gone| ApiError::new(Reason::Expired, format!("{gone}: list again")))?;
        for event in events {
            if self.target.namespace.is_empty() || *event.key.namespace == *self.target.namespace {
                let item = self.translate(&event)?;
                self.ready.extend(item);
            }
        }
        self.cursor = state.revision();
        Ok(())
    }

    /// An object that enters or leaves the selection is added or deleted to a watcher.
    fn translate(&self, event: &Event) -> Result<Option<WatchItem>, ApiError> {
        let object = versioned::from_parts(&event.value, event.revision)?;
        let is_in = event.kind != EventKind::Deleted && self.selectors.matches(&self.target, &object)?;
        let was_in = event.kind != EventKind::Added
            && self
                .selectors
                .matches(&self.target, &versioned::from_parts(&event.previous, event.revision)?)?;
        Ok(match (was_in, is_in) {
            (false, true) => Some(WatchItem::Added(object)),
            (true, true) => Some(WatchItem::Modified(object)),
            (true, false) => Some(WatchItem::Deleted(object)),
            (false, false) => None,
        })
    }
}

async fn at(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What a bookmark looks like as an object.
pub(crate) fn bookmark(target: &Target, revision: u64) -> Object {
    let mut object = Object::default();
    object.set(&["apiVersion"], target.row.api_version());
    object.set(&["kind"], target.row.kind);
    object.set(&["metadata"], json!({"resourceVersion": revision.to_string(), "creationTimestamp": null}));
    object
}
