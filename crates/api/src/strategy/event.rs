//! Events, of the core group and of `events.k8s.io`.

use serde_json::Value;

use crate::at::At;
use crate::error::FieldError;
use crate::object::Object;
use crate::resource::{Column, Strategy};
use crate::time;

/// The strategy of core Events.
pub(crate) struct Event;

impl Strategy for Event {
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let involved = At::field(object, "involvedObject").key("namespace");
        let own = object.namespace();
        // What has no namespace is told of in `default`.
        let right = involved.text() == own || (involved.is_empty() && own == "default");
        if right { Vec::new() } else { vec![involved.invalid("does not match event.namespace")] }
    }

    fn selectable_field(&self, object: &Object, field: &str) -> Option<String> {
        match field {
            "reason" | "type" | "reportingComponent" => Some(object.text(&[field]).to_owned()),
            "source" => Some(match object.text(&["source", "component"]) {
                "" => object.text(&["reportingComponent"]).to_owned(),
                component => component.to_owned(),
            }),
            _ => {
                let name = field.strip_prefix("involvedObject.")?;
                let known =
                    ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
                known.contains(&name).then(|| object.text(&["involvedObject", name]).to_owned())
            }
        }
    }

    fn columns(&self) -> &'static [Column] {
        const {
            &[
                Column::shown("LAST SEEN"),
                Column::shown("TYPE"),
                Column::shown("REASON"),
                Column::shown("OBJECT"),
                Column::wide("SUBOBJECT"),
                Column::wide("SOURCE"),
                Column::shown("MESSAGE"),
                Column::wide("FIRST SEEN"),
                Column::wide("COUNT"),
                Column::wide("NAME"),
            ]
        }
    }

    fn cells(&self, event: &Object, now: i64) -> Vec<String> {
        let (first, last) = seen(event);
        let count = event
            .get(&["series", "count"])
            .or_else(|| event.get(&["count"]))
            .and_then(Value::as_i64)
            .filter(|count| *count > 0);
        vec![
            time::age(last, now),
            event.text(&["type"]).to_owned(),
            event.text(&["reason"]).to_owned(),
            involved(event),
            event.text(&["involvedObject", "fieldPath"]).to_owned(),
            source(event),
            event.text(&["message"]).trim().to_owned(),
            time::age(first, now),
            count.unwrap_or(1).to_string(),
            event.name().to_owned(),
        ]
    }
}

/// When it happened first, and last.
fn seen(event: &Object) -> (&str, &str) {
    let pick = |paths: [&[&str]; 3]| {
        let found = paths.iter().find(|path| !event.text(path).is_empty());
        found.map(|path| event.text(path)).unwrap_or_default()
    };
    let first = pick([&["firstTimestamp"], &["eventTime"], &["metadata", "creationTimestamp"]]);
    let last = pick([&["series", "lastObservedTime"], &["lastTimestamp"], &["firstTimestamp"]]);
    (first, if last.is_empty() { first } else { last })
}

fn involved(event: &Object) -> String {
    let kind = event.text(&["involvedObject", "kind"]).to_lowercase();
    format!("{kind}/{}", event.text(&["involvedObject", "name"]))
}

fn source(event: &Object) -> String {
    let component = match event.text(&["source", "component"]) {
        "" => event.text(&["reportingComponent"]),
        component => component,
    };
    match event.text(&["source", "host"]) {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    }
}
