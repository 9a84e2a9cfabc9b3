//! `meta.k8s.io` Tables: what `kubectl get` shows, made by the server from the printer
//! columns of the kind.

use serde::Serialize;
use serde_json::{Map, Value, json};
use xebec_api::error::ApiError;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table_view;

use super::query::Query;
use super::represent::metadata_only;
use crate::options::invalid;

/// What goes along with each row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Include {
    /// Nothing.
    None,
    /// The object's metadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl Include {
    /// As the query says.
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        match query.get("includeObject") {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(invalid(
                "includeObject",
                format!("Unsupported value: {other:?}: supported values: \"Metadata\", \"None\", \"Object\""),
            )),
        }
    }
}

/// A table as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    kind: &'static str,
    api_version: &'static str,
    pub(super) metadata: Map<String, Value>,
    column_definitions: Vec<Value>,
    rows: Vec<Value>,
}

impl Table {
    /// Without rows. In a watch only the first table names its columns.
    pub(super) fn new(row: &Resource, api_version: &'static str, with_columns: bool) -> Self {
        let column_definitions = if with_columns { columns(row) } else { Vec::new() };
        Self { kind: "Table", api_version, metadata: Map::new(), column_definitions, rows: Vec::new() }
    }

    pub(super) fn set_version(&mut self, resource_version: &str) {
        if !resource_version.is_empty() {
            self.metadata.insert("resourceVersion".into(), resource_version.into());
        }
    }

    pub(super) fn push(&mut self, row: &Resource, object: Object, include: Include, now: i64) {
        let cells = table_view::cells(row, &object, true, false, now);
        let object = match include {
            Include::None => Value::Null,
            Include::Metadata => metadata_only(&object, self.api_version),
            Include::Object => object.into_value(),
        };
        self.rows.push(json!({"cells": cells, "object": object}));
    }
}

/// The columns of a kind; those of `-o wide` have priority 1.
fn columns(row: &Resource) -> Vec<Value> {
    let narrow = table_view::headers(row, false, false).len();
    let headers = table_view::headers(row, true, false);
    let columns = headers.iter().enumerate().map(|(index, header)| {
        let format = if *header == "NAME" { "name" } else { "" };
        let priority = i32::from(index >= narrow);
        json!({"name": title(header), "type": "string", "format": format, "description": "", "priority": priority})
    });
    columns.collect()
}

/// `UP-TO-DATE` as `Up-to-date` and `CLUSTER-IP` as `Cluster-IP`: clients put them into
/// capitals again.
fn title(header: &str) -> String {
    let word = |word: &str| {
        if word.len() <= 2 || word.ends_with("-IP") {
            return word
                .strip_suffix("-IP")
                .map_or_else(|| word.to_owned(), |start| format!("{}-IP", capital(start)));
        }
        capital(word)
    };
    header.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    format!("{first}{}", rest.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xebec_api::table;

    #[test]
    fn columns_are_named_so_that_capitals_give_the_headers_back() {
        for row in table::all() {
            let columns = columns(row);
            let names: Vec<String> = columns
                .iter()
                .map(|column| column["name"].as_str().unwrap_or_default().to_uppercase())
                .collect();
            assert_eq!(names, table_view::headers(row, true, false), "{}", row.kind);
            let wide = columns.iter().filter(|column| column["priority"] == 1).count();
            assert_eq!(columns.len() - wide, table_view::headers(row, false, false).len(), "{}", row.kind);
        }
        assert_eq!(title("UP-TO-DATE"), "Up-to-date");
        assert_eq!(title("CLUSTER-IP"), "Cluster-IP");
        assert_eq!(title("NOMINATED NODE"), "Nominated Node");
        assert_eq!(title("IP"), "IP");
    }
}
