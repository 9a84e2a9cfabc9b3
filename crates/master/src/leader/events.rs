//! Events that the leader's loops record. One that was recorded before is counted up, and many
//! that differ in their message alone become one ([`Similar`]). An Event that cannot be written
//! is lost: nothing waits for it.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::error::{ApiError, Reason};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::{parse, rfc3339};
use xebec_apiserver::{RequestContext, Target};
use xebec_controllers::EventRecord;
use xebec_state::Key;

use crate::leader::similar_events::{COMBINED, Similar, digest};
use crate::leader::{Term, feed};

/// Of an involved object's name, what goes into the Event's.
const NAME_CHARS: usize = 230;
/// The same Event is written at most this often.
const APART_SECONDS: i64 = 1;

/// Records an Event, or counts it up.
pub(crate) async fn record(term: &Term, context: &RequestContext, event: &EventRecord) {
    if let Err(error) = Box::pin(write(term, context, event)).await {
        tracing::debug!(reason = event.reason, "an event was not recorded: {error}");
    }
}

async fn write(term: &Term, context: &RequestContext, event: &EventRecord) -> Result<(), ApiError> {
    let (api, now) = (&term.around.api, term.around.clock.now());
    let row = table::find("", "events").expect("events are in the table");
    let namespace = if event.involved.namespace.is_empty() { "default" } else { &event.involved.namespace };
    let event = combined(&term.similar, event, now);
    let name = name(&event);
    let target = Target::object(row, namespace, &name);
    let stored = api.store().state().get(&Key::new("events", namespace, &name)).and_then(feed::of_entry);
    let Some(mut stored) = stored else {
        let new = object(&event, namespace, &name, &rfc3339(now));
        return match api.create(context, &target, new).await {
            Err(error) if error.reason != Reason::AlreadyExists => Err(error),
            _ => Ok(()),
        };
    };
    let last = parse(stored.text(&["lastTimestamp"])).unwrap_or_default();
    if now.as_second() - last.as_second() < APART_SECONDS {
        return Ok(());
    }
    let count = stored.get(&["count"]).and_then(Value::as_i64).unwrap_or(1);
    stored.set(&["count"], count + 1);
    stored.set(&["message"], event.message.as_str());
    stored.set(&["lastTimestamp"], rfc3339(now));
    api.update(context, &target, stored).await.map(drop)
}

/// The event as it is written: of many similar ones the newest stands for all.
fn combined<'a>(similar: &Similar, event: &'a EventRecord, now: Timestamp) -> Cow<'a, EventRecord> {
    if !similar.is_one_of_many(event, now) {
        return Cow::Borrowed(event);
    }
    let message = format!("{COMBINED}{}", event.message);
    Cow::Owned(EventRecord { message, ..event.clone() })
}

/// The same for the same Event about the same object, so that it is found again.
fn name(event: &EventRecord) -> String {
    let message = if event.message.starts_with(COMBINED) { COMBINED } else { &event.message };
    let hash = digest(&[&event.involved.uid, &event.reason, message, event.component]);
    let stem: String = event.involved.name.to_lowercase().chars().take(NAME_CHARS).collect();
    // Names of some kinds (system:node) are no names for an Event.
    let stem = stem.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'), "-");
    format!("{stem}.{}", hex::encode(hash))
}

fn object(event: &EventRecord, namespace: &str, name: &str, now: &str) -> Object {
    let about = &event.involved;
    Object::from_typed(&json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"namespace": namespace, "name": name},
        "involvedObject": {
            "apiVersion": about.api_version, "kind": about.kind,
            "namespace": about.namespace, "name": about.name, "uid": about.uid,
        },
        "type": event.kind.as_str(), "reason": event.reason, "message": event.message,
        "source": {"component": event.component},
        "reportingComponent": event.component, "reportingInstance": "",
        "firstTimestamp": now, "lastTimestamp": now, "count": 1,
    }))
}
