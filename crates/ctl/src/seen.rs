//! When an event was seen, whichever of its fields says so.

use xebec_api::object::Object;

/// When it happened last, RFC 3339.
pub(crate) fn last(event: &Object) -> &str {
    let paths: [&[&str]; 4] = [
        &["series", "lastObservedTime"],
        &["lastTimestamp"],
        &["eventTime"],
        &["metadata", "creationTimestamp"],
    ];
    paths.into_iter().map(|path| event.text(path)).find(|text| !text.is_empty()).unwrap_or_default()
}
