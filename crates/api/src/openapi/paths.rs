//! The paths that serve a row of the resource table: its collection, its objects and
//! their subresources.

use serde_json::{Map, Value, json};

use super::GroupVersion;
use super::operations::{Body, Operation};
use crate::facts::{self, Kind};
use crate::resource::Resource;

/// Adds the paths of a row.
pub(super) fn add(paths: &mut Map<String, Value>, row: &'static Resource) {
    let base = format!("/{}", GroupVersion::of(row).path());
    let body = Body::of(&row.api_version(), row.kind);
    let list = Operation { action: "list", body };
    let within = if row.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("{base}{within}/{}", row.plural);
    if row.namespaced {
        let everywhere = item(&[], &[("get", list)]);
        paths.insert(format!("{base}/{}", row.plural), everywhere);
    }
    let namespace: &[&str] = if row.namespaced { &["namespace"] } else { &[] };
    let on_all = [
        ("get", list),
        ("post", Operation { action: "post", body }),
        ("delete", Operation { action: "deletecollection", body }),
    ];
    let on_all = if row.has_deletecollection() { &on_all[..] } else { &on_all[..2] };
    paths.insert(collection.clone(), item(namespace, on_all));
    let names = [namespace, &["name"]].concat();
    let object = format!("{collection}/{{name}}");
    let on_one = ["get", "put", "patch", "delete"].map(|verb| (verb, Operation { action: verb, body }));
    paths.insert(object.clone(), item(&names, &on_one));
    for subresource in row.subresources {
        let (verbs, body) = part(subresource, body);
        let operations: Vec<(&str, Operation)> =
            verbs.iter().map(|verb| (*verb, Operation { action: verb, body })).collect();
        paths.insert(format!("{object}/{subresource}"), item(&names, &operations));
    }
}

/// What a subresource takes, and as what.
fn part(name: &str, own: Body) -> (&'static [&'static str], Body) {
    let body = |(version, kind)| Body::of(version, kind);
    match (name, other_body(name)) {
        ("scale", Some(other)) => (&["get", "put", "patch"], body(other)),
        (_, Some(other)) => (&["post"], body(other)),
        ("status" | "approval" | "ephemeralcontainers", None) => (&["get", "put", "patch"], own),
        ("finalize", None) => (&["put"], own),
        ("log", None) => (&["get"], own),
        (_, None) => (&["get", "post"], own),
    }
}

/// The kind that a subresource takes, where it is not the object's own.
fn other_body(subresource: &str) -> Option<(&'static str, &'static str)> {
    Some(match subresource {
        "scale" => ("autoscaling/v1", "Scale"),
        "binding" => ("v1", "Binding"),
        "eviction" => ("policy/v1", "Eviction"),
        "token" => ("authentication.k8s.io/v1", "TokenRequest"),
        _ => return None,
    })
}

/// The kinds that the subresources of a row take beside its own.
pub(super) fn bodies(row: &Resource) -> impl Iterator<Item = (&'static str, &'static str)> {
    row.subresources.iter().filter_map(|name| other_body(name))
}

fn item(names: &[&str], operations: &[(&str, Operation)]) -> Value {
    let parameter =
        |name: &&str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let mut item = Map::new();
    if !names.is_empty() {
        item.insert("parameters".into(), names.iter().map(parameter).collect());
    }
    item.extend(operations.iter().map(|(verb, operation)| ((*verb).to_owned(), operation.describe())));
    Value::Object(item)
}

impl Body {
    fn of(api_version: &str, kind: &str) -> Self {
        let of = facts::of_kind(api_version, kind).expect("a test looks for the facts of every row");
        let is_kind = |own: &&Kind| own.kind == kind;
        let kind = of.kinds.iter().find(is_kind).copied().expect("it was found by its kind");
        Self { name: of.name, kind }
    }
}
