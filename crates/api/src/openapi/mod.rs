//! The API as OpenAPI describes it: of each group and version the schemas of its kinds and
//! the paths that serve them, made from the table of facts and the resource table.
//!
//! Pure: a document is a value; who serves it encodes it, hashes it and keeps it.

mod operations;
mod paths;
mod schemas;
#[cfg(test)]
mod tests;
mod texts;

use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::table;

/// A group and version that something is served of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupVersion {
    /// `""` for the core group.
    pub group: &'static str,
    /// Such as `v1`.
    pub version: &'static str,
}

impl GroupVersion {
    /// Where it is served, such as `api/v1` or `apis/apps/v1`.
    #[must_use]
    pub fn path(self) -> String {
        let Self { group, version } = self;
        if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
    }

    fn of(row: &Resource) -> Self {
        Self { group: row.group, version: row.versions[0] }
    }
}

/// Every one of them, in order.
#[must_use]
pub fn group_versions() -> Vec<GroupVersion> {
    let mut all: Vec<GroupVersion> = table::all().iter().map(GroupVersion::of).collect();
    all.sort();
    all.dedup();
    all
}

/// The OpenAPI 3 document of a group and version; `release` is the API's own.
#[must_use]
pub fn v3(of: GroupVersion, release: &str) -> Value {
    let rows: Vec<&Resource> = table::all().iter().filter(|row| GroupVersion::of(row) == of).collect();
    let mut paths = Map::new();
    for row in &rows {
        paths::add(&mut paths, row);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": paths,
        "components": {"schemas": schemas::of_rows(&rows)},
    })
}
