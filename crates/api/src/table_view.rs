//! Objects as rows of a table, as `kubectl get` shows them.

use crate::object::Object;
use crate::resource::{Column, Resource};
use crate::time;

/// The headings. `with_namespace` puts NAMESPACE in front, for lists over all namespaces.
#[must_use]
pub fn headers(row: &Resource, wide: bool, with_namespace: bool) -> Vec<&'static str> {
    let mut headers = Vec::new();
    if with_namespace && row.namespaced {
        headers.push("NAMESPACE");
    }
    let columns = row.strategy.columns();
    if !is_whole_table(columns) {
        headers.push("NAME");
    }
    headers.extend(columns.iter().filter(|column| !column.wide).map(|column| column.name));
    if !is_whole_table(columns) {
        headers.push("AGE");
    }
    headers.extend(columns.iter().filter(|column| wide && column.wide).map(|column| column.name));
    headers
}

/// The cells under [`headers`], for one object. `now` is Unix seconds.
#[must_use]
pub fn cells(row: &Resource, object: &Object, wide: bool, with_namespace: bool, now: i64) -> Vec<String> {
    let mut cells = Vec::new();
    if with_namespace && row.namespaced {
        cells.push(object.namespace().to_owned());
    }
    let columns = row.strategy.columns();
    if !is_whole_table(columns) {
        cells.push(object.name().to_owned());
    }
    let own = row.strategy.cells(object, now);
    assert_eq!(own.len(), columns.len(), "{}: one cell for each column", row.kind);
    let (wide_cells, narrow): (Vec<_>, Vec<_>) = columns.iter().zip(own).partition(|(column, _)| column.wide);
    cells.extend(narrow.into_iter().map(|(_, cell)| cell));
    if !is_whole_table(columns) {
        cells.push(age(object, now));
    }
    cells.extend(wide_cells.into_iter().filter(|_| wide).map(|(_, cell)| cell));
    cells
}

/// How long ago an object was created.
pub(crate) fn age(object: &Object, now: i64) -> String {
    time::age(object.text(&["metadata", "creationTimestamp"]), now)
}

/// Most kinds' columns stand between NAME and AGE; a kind that names one of these itself
/// names all of its columns.
fn is_whole_table(columns: &[Column]) -> bool {
    columns.iter().any(|column| matches!(column.name, "NAME" | "AGE"))
}
