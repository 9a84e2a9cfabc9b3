//! Discovery: which groups, versions and resources there are. Everything is read from the
//! resource table; the aggregated form, which newer clients ask for, is in `aggregated.rs`.

mod aggregated;
mod verbs;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};
use xebec_api::resource::Resource;
use xebec_api::table;

use super::{Face, Reply, negotiate, no_such_resource};

pub(super) fn routes() -> Router<Arc<Face>> {
    Router::new()
        .route("/api", get(core))
        .route("/api/", get(core))
        .route("/apis", get(groups))
        .route("/apis/", get(groups))
        .route("/apis/{group}", get(group))
        .route("/apis/{group}/", get(group))
        .route("/api/{version}", get(core_resources))
        .route("/api/{version}/", get(core_resources))
        .route("/apis/{group}/{version}", get(resources))
        .route("/apis/{group}/{version}/", get(resources))
}

async fn core(request: Request) -> Response {
    let plain = || {
        json!({"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}]})
    };
    either(&request, |name| name.is_empty(), plain)
}

async fn groups(request: Request) -> Response {
    let plain = || {
        let groups: Vec<Value> = group_names().into_iter().filter_map(describe).collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    };
    either(&request, |name| !name.is_empty(), plain)
}

async fn group(Path(name): Path<String>, request: Request) -> Response {
    let reply = Reply::to(&request);
    match describe(&name).filter(|_| !name.is_empty()) {
        Some(mut group) => {
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            reply.send(StatusCode::OK, &group)
        }
        None => reply.fail(&no_such_resource()),
    }
}

async fn core_resources(Path(version): Path<String>, request: Request) -> Response {
    list("", &version, &request)
}

async fn resources(Path((group, version)): Path<(String, String)>, request: Request) -> Response {
    list(&group, &version, &request)
}

/// The aggregated form where it is asked for, else the plain one.
fn either(request: &Request, wanted: impl Fn(&str) -> bool, plain: impl Fn() -> Value) -> Response {
    let reply = Reply::to(request);
    for range in negotiate::ranges(request.headers()) {
        match (range.kind.as_str(), aggregated::content_type(&range)) {
            ("", _) => return reply.in_media(range.media).send(StatusCode::OK, &plain()),
            ("APIGroupDiscoveryList", Some((content_type, api_version))) => {
                let groups = group_names().into_iter().filter(|name| wanted(name));
                return reply.send_as(content_type, &aggregated::document(api_version, groups));
            }
            _ => {}
        }
    }
    reply.fail(&negotiate::not_acceptable())
}

/// What there is: what is stored, what is only asked, and what is measured; that comes last, as its names are those of
/// others.
fn served() -> impl Iterator<Item = &'static Resource> {
    table::all().iter().chain(table::reviews()).chain(table::measured())
}

/// The rows of a group and version.
fn rows(group: &str, version: &str) -> impl Iterator<Item = &'static Resource> {
    served().filter(move |row| row.group == group && row.versions.contains(&version))
}

/// Every group in the order of the table; the core group's name is empty.
fn group_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for row in served() {
        if !names.contains(&row.group) {
            names.push(row.group);
        }
    }
    names
}

/// The versions of a group, the preferred one first.
fn versions(group: &str) -> Vec<&'static str> {
    let mut versions = Vec::new();
    for row in served().filter(|row| row.group == group) {
        for version in row.versions {
            if !versions.contains(version) {
                versions.push(*version);
            }
        }
    }
    versions
}

fn describe(group: &str) -> Option<Value> {
    let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let versions = versions(group);
    let preferred = version(versions.first()?);
    let all: Vec<Value> = versions.iter().map(version).collect();
    (!group.is_empty()).then(|| json!({"name": group, "versions": all, "preferredVersion": preferred}))
}

fn list(group: &str, version: &str, request: &Request) -> Response {
    let reply = Reply::to(request);
    let resources: Vec<Value> = rows(group, version).flat_map(|row| row_and_parts(row, version)).collect();
    if resources.is_empty() {
        return reply.fail(&no_such_resource());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let document = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": resources});
    reply.send(StatusCode::OK, &document)
}

/// A row and its subresources, each an `APIResource`.
fn row_and_parts(row: &'static Resource, version: &str) -> Vec<Value> {
    let mut whole = json!({"name": row.plural, "singularName": row.singular, "namespaced": row.namespaced,
        "kind": row.kind, "verbs": verbs::of(row)});
    if !row.short_names.is_empty() {
        whole["shortNames"] = json!(row.short_names);
    }
    if let Some(categories) = verbs::categories(row) {
        whole["categories"] = json!(categories);
    }
    let parts = verbs::parts(row).map(|part| {
        let mut value = json!({"name": format!("{}/{}", row.plural, part.name), "singularName": "",
            "namespaced": row.namespaced, "kind": part.kind, "verbs": part.verbs});
        if (part.group, part.version) != (row.group, version) {
            value["group"] = part.group.into();
            value["version"] = part.version.into();
        }
        value
    });
    std::iter::once(whole).chain(parts).collect()
}
