//! What happened to an object, oldest first.

use anyhow::Result;
use xebec_api::object::Object;
use xebec_api::time;
use xebec_client::ListParams;

use super::page::{Page, scalar};
use crate::session::Session;
use crate::{asked, seen};

/// The events about it. They stand in its namespace, those of cluster scope in `default`.
pub(super) async fn of(session: &Session, object: &Object) -> Result<Vec<Object>> {
    let namespace = if object.namespace().is_empty() { "default" } else { object.namespace() };
    let field_selector =
        format!("involvedObject.name={},involvedObject.kind={}", object.name(), object.kind());
    let params = ListParams { field_selector, ..ListParams::default() };
    let mut events = session.client.list(asked::row("events")?, namespace, &params).await?.items;
    // Of a namesake before it: another uid. Agents name a node by its name.
    events.retain(|event| {
        let uid = event.text(&["involvedObject", "uid"]);
        uid.is_empty() || uid == object.uid() || uid == object.name()
    });
    events.sort_by_key(|event| seen::last(event).to_owned());
    Ok(events)
}

/// As the last section.
pub(super) fn describe(events: &[Object], now: i64, page: &mut Page) {
    if events.is_empty() {
        page.field("Events", "<none>");
        return;
    }
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let mut age = time::age(seen::last(event), now);
            let count = event.get(&["count"]).and_then(serde_json::Value::as_i64).unwrap_or(1);
            if count > 1 {
                let over = match event.text(&["firstTimestamp"]) {
                    "" => String::new(),
                    first => format!(" over {}", time::age(first, now)),
                };
                age = format!("{age} (x{count}{over})");
            }
            let from = match event.text(&["source", "component"]) {
                "" => event.text(&["reportingComponent"]).to_owned(),
                component => component.to_owned(),
            };
            vec![scalar(event.get(&["type"])), scalar(event.get(&["reason"])), age, from, message(event)]
        })
        .collect();
    page.table("Events", &["TYPE", "REASON", "AGE", "FROM", "MESSAGE"], &rows);
}

fn message(event: &Object) -> String {
    event.text(&["message"]).trim().replace('\n', " ")
}
