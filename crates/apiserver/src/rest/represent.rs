//! Objects and lists in the form that a client asked for: whole, as rows of a table, or
//! their metadata only.

use serde::Serialize;
use serde_json::{Map, Value, json};
use xebec_api::object::Object;

use super::negotiate::Form;
use super::table::{Include, Table};
use crate::{Page, Target};

/// How the objects of one request are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) form: Form,
    pub(super) include: Include,
    /// Unix seconds, for ages.
    pub(super) now: i64,
}

impl Shown {
    /// One object. What is not of the target's kind (a Scale, a Status) stays as it is.
    pub(super) fn object(&self, target: &Target, object: Object) -> Value {
        if object.kind() != target.row.kind {
            return object.into_value();
        }
        match self.form {
            Form::Whole => object.into_value(),
            Form::Metadata(version) => metadata_only(&object, version),
            Form::Table(version) => {
                let mut table = Table::new(target.row, version, true);
                table.set_version(object.resource_version());
                table.push(target.row, object, self.include, self.now);
                json!(table)
            }
        }
    }

    /// One object of a watch; `first` tells a table to name its columns.
    pub(super) fn event(&self, target: &Target, object: Object, first: bool, bookmark: bool) -> Value {
        let Form::Table(version) = self.form else { return self.object(target, object) };
        let mut table = Table::new(target.row, version, first);
        table.set_version(object.resource_version());
        if !bookmark {
            table.push(target.row, object, self.include, self.now);
        }
        json!(table)
    }

    /// One page of a list.
    pub(super) fn page(&self, target: &Target, page: Page) -> PageView {
        let row = target.row;
        let metadata = list_metadata(&page);
        match self.form {
            Form::Table(version) => {
                let mut table = Table::new(row, version, true);
                table.metadata = metadata;
                page.items.into_iter().for_each(|item| table.push(row, item, self.include, self.now));
                PageView::Table(table)
            }
            Form::Metadata(version) => {
                let items = page.items.iter().map(|item| metadata_only(item, version)).collect();
                PageView::List(List::new("PartialObjectMetadataList".into(), version.into(), metadata, items))
            }
            Form::Whole => {
                let items = page.items.into_iter().map(without_type).collect();
                PageView::List(List::new(format!("{}List", row.kind), row.api_version(), metadata, items))
            }
        }
    }
}

/// A list as it is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum PageView {
    Table(Table),
    List(List),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    kind: String,
    api_version: String,
    metadata: Map<String, Value>,
    items: Vec<Value>,
}

impl List {
    fn new(kind: String, api_version: String, metadata: Map<String, Value>, items: Vec<Value>) -> Self {
        Self { kind, api_version, metadata, items }
    }
}

fn list_metadata(page: &Page) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), page.revision.to_string().into());
    if !page.continue_token.is_empty() {
        metadata.insert("continue".into(), page.continue_token.clone().into());
    }
    if page.remaining > 0 {
        metadata.insert("remainingItemCount".into(), page.remaining.into());
    }
    metadata
}

pub(super) fn metadata_only(object: &Object, version: &str) -> Value {
    let metadata = object.as_map().get("metadata").cloned().unwrap_or_default();
    json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": metadata})
}

/// The items of a list do not repeat what the list says of them.
fn without_type(mut object: Object) -> Value {
    let map = object.as_map_mut();
    map.remove("kind");
    map.remove("apiVersion");
    object.into_value()
}
