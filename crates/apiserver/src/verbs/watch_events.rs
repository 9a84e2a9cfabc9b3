//! What a watcher sees of a change: pure, from a stored event and the watcher's selectors.
//!
//! | before matched | after matches | the watcher sees |
//! |---|---|---|
//! | no  | yes | ADDED |
//! | yes | yes | MODIFIED |
//! | yes | no  | DELETED, with the object as it matched last |
//! | no  | no  | nothing |

use std::collections::VecDeque;

use serde_json::json;
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_state::{Event, EventKind, State};

use super::list::Matcher;
use crate::{Target, WatchEvent, WatchKind, stored};

/// What is there, as ADDED events.
pub(super) fn initial(
    state: &State,
    resource: &str,
    namespace: &str,
    matcher: &Matcher,
) -> Result<VecDeque<WatchEvent>, ApiError> {
    let mut events = VecDeque::new();
    for (_, _, entry) in state.list(resource, (!namespace.is_empty()).then_some(namespace)) {
        let object = stored::decode(entry)?;
        if matcher.matches(&object)? {
            events.push_back(WatchEvent { kind: WatchKind::Added, object, revision: entry.revision });
        }
    }
    Ok(events)
}

/// What a stored event is to a watcher.
pub(super) fn transition(event: &Event, matcher: &Matcher) -> Result<Option<WatchEvent>, ApiError> {
    let new = || stored::decode_at(&event.value, event.revision);
    let seen = |kind, object| Ok(Some(WatchEvent { kind, object, revision: event.revision }));
    match event.kind {
        EventKind::Added => {
            let object = new()?;
            if matcher.matches(&object)? { seen(WatchKind::Added, object) } else { Ok(None) }
        }
        EventKind::Deleted => {
            let object = new()?;
            if matcher.matches(&object)? { seen(WatchKind::Deleted, object) } else { Ok(None) }
        }
        EventKind::Modified if matcher.is_empty() => seen(WatchKind::Modified, new()?),
        EventKind::Modified => {
            let (object, previous) = (new()?, stored::decode_at(&event.previous, event.revision)?);
            match (matcher.matches(&previous)?, matcher.matches(&object)?) {
                (true, true) => seen(WatchKind::Modified, object),
                (false, true) => seen(WatchKind::Added, object),
                (true, false) => seen(WatchKind::Deleted, previous),
                (false, false) => Ok(None),
            }
        }
    }
}

/// A revision to resume from; `first` ends the objects that were there at the start.
pub(super) fn bookmark(target: &Target, revision: u64, first: bool) -> WatchEvent {
    let mut object = Object::default();
    object.set(&["apiVersion"], target.row.api_version());
    object.set(&["kind"], target.row.kind);
    stored::set_revision(&mut object, revision);
    if first {
        object.set(&["metadata", "annotations"], json!({"k8s.io/initial-events-end": "true"}));
    }
    WatchEvent { kind: WatchKind::Bookmark, object, revision }
}
