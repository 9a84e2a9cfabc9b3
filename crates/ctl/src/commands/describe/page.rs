//! A description as it grows: fields under each other, sections indented.

use serde_json::Value;
use xebec_api::object::Object;

use crate::merge::LAST_APPLIED;
use crate::printable::printable;
use crate::table;

/// Columns that names take before their values.
const NAME_WIDTH: usize = 18;
/// An annotation longer than this is cut.
const LONGEST_VALUE: usize = 160;

/// The text so far.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    depth: usize,
}

impl Page {
    /// `Name:    value`; values of several lines go on under the first.
    pub(super) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        let width = NAME_WIDTH.saturating_sub(2 * self.depth).max(name.len() + 2);
        let mut label = format!("{}:", printable(name));
        let value = printable(value.as_ref());
        let lines: Vec<&str> = value.lines().collect();
        if lines.is_empty() {
            self.line(format!("{label:width$}<none>"));
        }
        for line in lines {
            self.line(format!("{label:width$}{line}"));
            label.clear();
        }
    }

    /// A field that is left out when there is nothing to say.
    pub(super) fn optional(&mut self, name: &str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.field(name, value);
        }
    }

    /// One line as it is.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        let line = format!("{}{}", " ".repeat(2 * self.depth), text.as_ref());
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// `Name:` and what stands under it.
    pub(super) fn section(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.line(format!("{}:", printable(name)));
        self.depth += 1;
        fill(self);
        self.depth -= 1;
    }

    /// A table under a heading; nothing when it is empty.
    pub(super) fn table(&mut self, name: &str, headers: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        self.section(name, |page| {
            for line in table::lines(headers, rows) {
                page.line(line);
            }
        });
    }

    /// What every description begins with.
    pub(super) fn head(&mut self, object: &Object) {
        self.field("Name", object.name());
        self.optional("Namespace", object.namespace());
        self.field("Labels", pairs(object.labels()));
        let annotations = object.annotations().filter(|(key, _)| *key != LAST_APPLIED);
        self.field("Annotations", pairs(annotations));
        self.optional("Created", object.text(&["metadata", "creationTimestamp"]));
        self.optional("Deleted", object.text(&["metadata", "deletionTimestamp"]));
        let owners = object.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
        let controls = |owner: &&Value| owner.get("controller") == Some(&Value::Bool(true));
        if let Some(owner) = owners.into_iter().flatten().find(controls) {
            self.field(
                "Controlled By",
                format!("{}/{}", scalar(owner.get("kind")), scalar(owner.get("name"))),
            );
        }
    }

    /// `status.conditions` as a table.
    pub(super) fn conditions(&mut self, object: &Object) {
        let conditions = object.get(&["status", "conditions"]).and_then(Value::as_array);
        let rows: Vec<Vec<String>> = conditions
            .into_iter()
            .flatten()
            .map(|condition| {
                let cell =
                    |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                vec![
                    cell("type"),
                    cell("status"),
                    cell("lastTransitionTime"),
                    cell("reason"),
                    cell("message"),
                ]
            })
            .collect();
        self.table("Conditions", &["TYPE", "VALUE", "SINCE", "REASON", "MESSAGE"], &rows);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Pairs as lines, long values cut.
pub(super) fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<String> = pairs
        .map(|(key, value)| {
            let mut shown: String = value.chars().take(LONGEST_VALUE).collect();
            if shown.len() < value.len() {
                shown.push('…');
            }
            format!("{key}={}", shown.replace('\n', " "))
        })
        .collect();
    lines.join("\n")
}

/// A scalar as text; `""` for anything else.
pub(super) fn scalar(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(bool)) => bool.to_string(),
        _ => String::new(),
    }
}
