//! One operation on a path: what it takes and what it answers. Clients look at the kind,
//! at `fieldValidation` and at the types of patches; the rest is for people.

use serde_json::{Map, Value, json};

use super::schemas::{self, PATCH, PREFIX, kind, reference};
use crate::facts::Kind;

/// The object that travels.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// Its type's name in the facts.
    pub(super) name: &'static str,
    /// What it is sent as.
    pub(super) kind: Kind,
}

/// What is done to it.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    /// `get`, `list`, `post`, `put`, `patch`, `delete`, `deletecollection`.
    pub(super) action: &'static str,
    pub(super) body: Body,
}

/// Types of answers, and of bodies that are whole objects.
const OBJECT_TYPES: &[&str] = &["application/json", "application/yaml"];
/// Types of patches.
const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

const SELECTING: &[(&str, &str)] = &[
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
const WRITING: &[(&str, &str)] =
    &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
const DELETING: &[(&str, &str)] =
    &[("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")];

impl Operation {
    pub(super) fn describe(self) -> Value {
        let queries = match self.action {
            "list" => SELECTING,
            "post" | "put" | "patch" => WRITING,
            "delete" | "deletecollection" => DELETING,
            _ => &[],
        };
        let parameters: Vec<Value> = queries
            .iter()
            .map(|(name, of)| json!({"name": name, "in": "query", "schema": {"type": of, "uniqueItems": true}}))
            .collect();
        let mut described = json!({
            "responses": self.responses(),
            "x-kubernetes-action": self.action,
            "x-kubernetes-group-version-kind": kind(self.body.kind),
        });
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        let own = reference(self.body.name);
        let body = match self.action {
            "post" | "put" => Some(content(OBJECT_TYPES, &own)),
            "patch" => Some(content(PATCH_TYPES, &reference(PATCH))),
            "delete" | "deletecollection" => Some(content(OBJECT_TYPES, &reference(schemas::DELETE_OPTIONS))),
            _ => None,
        };
        if let Some(content) = body {
            described["requestBody"] = json!({"content": content});
        }
        described
    }

    fn responses(self) -> Value {
        let answer = match self.action {
            "list" => {
                json!({"$ref": format!("#/components/schemas/{PREFIX}{}List", self.body.name)})
            }
            "deletecollection" | "delete" => reference(schemas::STATUS),
            _ => reference(self.body.name),
        };
        let code = if self.action == "post" { "201" } else { "200" };
        json!({
            code: {"description": "OK", "content": content(OBJECT_TYPES, &answer)},
            "401": {"description": "Unauthorized"},
        })
    }
}

fn content(types: &[&str], schema: &Value) -> Value {
    let each = types.iter().map(|of| ((*of).to_owned(), json!({"schema": schema})));
    Value::Object(each.collect::<Map<String, Value>>())
}
