//! Events live for an hour.

use std::time::Duration;

use jiff::Timestamp;
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::parse;
use xebec_apiserver::{DeleteOptions, RequestContext, Target};

use crate::leader::Term;
use crate::leader::feed;

const EVERY: Duration = Duration::from_secs(60);
const LIFETIME_SECONDS: i64 = 3600;

/// Deletes what has expired, until the term is over.
pub(crate) async fn run(term: Term) {
    while term.over.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if term.over.run_until_cancelled(Box::pin(sweep(&term))).await.is_none() {
            return;
        }
    }
    // A loop that returns early counts as failed.
}

async fn sweep(term: &Term) {
    let api = &term.around.api;
    let context = RequestContext::system("event-expiry", term.number);
    let row = table::find("", "events").expect("events are in the table");
    let now = term.around.clock.now();
    let state = api.store().state();
    let events = state.list("events", None).filter_map(|(_, _, entry)| feed::of_entry(entry));
    let expired: Vec<Target> = events
        .filter(|event| is_expired(event, now))
        .map(|event| Target::object(row, event.namespace(), event.name()))
        .collect();
    for target in expired {
        if let Err(error) = api.delete(&context, &target, &DeleteOptions::default()).await {
            tracing::debug!(event = target.name, "not deleted: {error}");
        }
    }
}

fn is_expired(event: &Object, now: Timestamp) -> bool {
    let times = [
        event.text(&["lastTimestamp"]),
        event.text(&["eventTime"]),
        event.text(&["metadata", "creationTimestamp"]),
    ];
    let last = times.into_iter().find_map(parse);
    last.is_some_and(|last| now.as_second() - last.as_second() > LIFETIME_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_expires_an_hour_after_it_was_last_seen() {
        let now = parse("2026-11-24T12:00:00Z").expect("a time");
        let event = |json: &str| Object::from_json(json.as_bytes()).expect("an object");
        for (json, expired) in [
            (r#"{"lastTimestamp": "2026-11-24T10:59:59Z"}"#, true),
            (r#"{"lastTimestamp": "2026-11-24T11:00:00Z"}"#, false),
            (r#"{"lastTimestamp": null, "eventTime": "2026-11-24T09:00:00.000000Z"}"#, true),
            (r#"{"metadata": {"creationTimestamp": "2026-11-24T09:00:00Z"}}"#, true),
            ("{}", false),
        ] {
            assert_eq!(is_expired(&event(json), now), expired, "{json}");
        }
    }
}
