//! Watches: one JSON document a line, for each event. An error after the beginning is an
//! event too, and the last one.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};

use super::reply;
use super::represent::Shown;
use crate::{Target, WatchEvent, WatchKind, WatchStream};

/// The answer to a watch that was opened, or was not because its revision is too old:
/// which is told in the stream, where watchers look for it.
pub(super) fn respond(
    opened: Result<WatchStream, ApiError>,
    target: Target,
    shown: impl Fn() -> Shown + Send + 'static,
) -> Result<Response, ApiError> {
    let body = match opened {
        Ok(events) => Body::from_stream(lines(events, target, shown)),
        Err(error) if error.reason == Reason::Expired => Body::from(line("ERROR", &reply::status(&error))),
        Err(error) => return Err(error),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn lines(
    events: WatchStream,
    target: Target,
    shown: impl Fn() -> Shown + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let mut first = true;
    events.map(move |event| {
        let line = match event {
            Ok(event) => written(event, &target, &shown(), std::mem::take(&mut first)),
            Err(error) => line("ERROR", &reply::status(&error)),
        };
        Ok(line)
    })
}

fn written(event: WatchEvent, target: &Target, shown: &Shown, first: bool) -> Bytes {
    let bookmark = event.kind == WatchKind::Bookmark;
    let kind = match event.kind {
        WatchKind::Added => "ADDED",
        WatchKind::Modified => "MODIFIED",
        WatchKind::Deleted => "DELETED",
        WatchKind::Bookmark => "BOOKMARK",
    };
    line(kind, &shown.event(target, event.object, first, bookmark))
}

fn line(kind: &str, object: &Value) -> Bytes {
    let mut text = json!({"type": kind, "object": object}).to_string();
    text.push('\n');
    text.into()
}
