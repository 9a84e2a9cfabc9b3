//! The aggregated form of discovery: everything of all groups in one document.

use serde_json::{Value, json};
use xebec_api::resource::Resource;

use super::super::negotiate::Range;
use super::{rows, verbs, versions};

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const V2_BETA1: &str = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// The content type and `apiVersion` to answer a range with, if it asks for this form.
pub(super) fn content_type(range: &Range) -> Option<(&'static str, &'static str)> {
    match (range.group.as_str(), range.version.as_str()) {
        ("apidiscovery.k8s.io", "v2") => Some((V2, "apidiscovery.k8s.io/v2")),
        ("apidiscovery.k8s.io", "v2beta1") => Some((V2_BETA1, "apidiscovery.k8s.io/v2beta1")),
        _ => None,
    }
}

/// The document of some groups.
pub(super) fn document(api_version: &str, groups: impl Iterator<Item = &'static str>) -> Value {
    let items: Vec<Value> = groups.map(group).collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items})
}

fn group(name: &'static str) -> Value {
    let version = |version: &'static str| {
        let resources: Vec<Value> = rows(name, version).map(|row| resource(row, version)).collect();
        json!({"version": version, "freshness": "Current", "resources": resources})
    };
    let versions: Vec<Value> = versions(name).into_iter().map(version).collect();
    let metadata = if name.is_empty() { json!({}) } else { json!({"name": name}) };
    json!({"metadata": metadata, "versions": versions})
}

fn resource(row: &'static Resource, version: &str) -> Value {
    let kind =
        |group: &str, version: &str, kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut value = json!({
        "resource": row.plural,
        "responseKind": kind(row.group, version, row.kind),
        "scope": if row.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": row.singular,
        "verbs": verbs::of(row),
    });
    if !row.short_names.is_empty() {
        value["shortNames"] = json!(row.short_names);
    }
    if let Some(categories) = verbs::categories(row) {
        value["categories"] = json!(categories);
    }
    let parts = verbs::parts(row).map(|part| {
        json!({"subresource": part.name, "responseKind": kind(part.group, part.version, part.kind),
            "verbs": part.verbs})
    });
    let parts: Vec<Value> = parts.collect();
    if !parts.is_empty() {
        value["subresources"] = parts.into();
    }
    value
}
