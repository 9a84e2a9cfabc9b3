//! What changed between two applied states, as the leader's loops are told it.

use std::sync::Arc;

use xebec_api::object::Object;
use xebec_state::{Entry, Event, EventKind, State};

/// Resources of the store that are no objects of the API.
const HIDDEN: &str = "xebec/";

/// One object that changed.
pub(crate) struct Change {
    /// The storage name.
    pub(crate) resource: Arc<str>,
    /// The object is gone; `object` is what it was last.
    pub(crate) gone: bool,
    /// As it is, or was last, with its resourceVersion.
    pub(crate) object: Object,
}

/// What happened since a revision.
pub(crate) enum News {
    /// Every change, in order.
    Changes(Vec<Change>),
    /// Too much: look at everything.
    Everything,
}

/// What changed in `state` after `revision`. A value that is no object is passed over.
pub(crate) fn since(state: &State, revision: u64) -> News {
    let resources: Vec<_> = table().filter(|resource| state.changed_at(resource) > revision).collect();
    let mut events: Vec<Event> = Vec::new();
    for resource in resources {
        match state.events_after(resource, revision) {
            Ok(more) => events.extend(more),
            Err(_) => return News::Everything,
        }
    }
    events.sort_by_key(|event| event.revision);
    News::Changes(events.into_iter().filter_map(change).collect())
}

/// The storage names of every kind. A resource whose last object is gone has no objects
/// left but still has events, so the state's own list of resources does not do.
fn table() -> impl Iterator<Item = &'static str> {
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| {
        xebec_api::table::all().iter().map(xebec_api::resource::Resource::storage_name).collect()
    });
    names.iter().map(String::as_str)
}

fn change(event: Event) -> Option<Change> {
    Some(Change {
        object: object(&event.value, event.revision)?,
        resource: event.key.resource,
        gone: event.kind == EventKind::Deleted,
    })
}

/// A stored object as readers get it.
pub(crate) fn of_entry(entry: &Entry) -> Option<Object> {
    object(&entry.value, entry.revision)
}

fn object(value: &[u8], revision: u64) -> Option<Object> {
    match Object::from_json(value) {
        Ok(mut object) => {
            object.set(&["metadata", "resourceVersion"], revision.to_string());
            Some(object)
        }
        Err(error) => {
            tracing::error!(revision, %error, "a stored object cannot be read");
            None
        }
    }
}

/// The resources of a state that hold objects of the API.
pub(crate) fn resources(state: &State) -> impl Iterator<Item = &Arc<str>> {
    state.resources().filter(|resource| !resource.starts_with(HIDDEN))
}
