//! `explain`: what fields a kind has, and what they mean. From the API's description of
//! itself, which this program has too: no cluster is asked.

use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::Value;
use xebec_api::openapi;

use crate::asked;
use crate::output::Out;
use crate::why::near;

/// How deep `--recursive` goes: some types contain themselves.
const DEEPEST: usize = 12;

/// What to explain.
#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// TYPE or TYPE.FIELD.FIELD…, such as pods.spec.containers
    pub(crate) path: String,
    /// Show the names of all fields below, too
    #[arg(long)]
    pub(crate) recursive: bool,
}

/// Explains it.
pub(crate) fn run(args: &ExplainArgs, out: &mut Out) -> Result<ExitCode> {
    out.raw(explain(&args.path, args.recursive)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The types of one group and version.
struct Schemas(Value);

impl Schemas {
    fn of(group: &str, version: &str) -> Option<Self> {
        let known =
            openapi::group_versions().into_iter().find(|it| it.group == group && it.version == version)?;
        Some(Self(openapi::v3(known, "").pointer("/components/schemas")?.clone()))
    }

    fn of_kind(&self, kind: &str, group: &str) -> Option<&Value> {
        let is_it = |schema: &&Value| {
            let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            kinds.into_iter().flatten().any(|it| it["kind"] == kind && it["group"] == group)
        };
        self.0.as_object()?.values().find(is_it)
    }

    /// The type that a field's schema leads to, through lists, maps and references.
    fn inner<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let next = schema.get("items").or_else(|| schema.get("additionalProperties"));
        let reference =
            schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        match (next, reference) {
            (Some(next), _) => self.inner(next),
            (None, Some(reference)) => {
                let name = reference.rsplit('/').next().unwrap_or_default();
                self.0.get(name).unwrap_or(schema)
            }
            (None, None) => schema,
        }
    }

    /// A field's type in words: `<[]Container>`, `<map[string]string>`, `<integer>`.
    fn type_of(&self, schema: &Value) -> String {
        if let Some(items) = schema.get("items") {
            return format!("[]{}", self.type_of(items));
        }
        if let Some(values) = schema.get("additionalProperties") {
            return format!("map[string]{}", self.type_of(values));
        }
        let reference =
            schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
        match reference.and_then(|reference| reference.rsplit('.').next()) {
            Some("Time" | "MicroTime" | "Quantity") => "string".to_owned(),
            Some(name) => name.to_owned(),
            None => schema.get("type").and_then(Value::as_str).unwrap_or("Object").to_owned(),
        }
    }
}

fn explain(path: &str, recursive: bool) -> Result<String> {
    let (kind, fields) = path.split_once('.').unwrap_or((path, ""));
    let row = asked::row(kind)?;
    let version = row.versions.first().copied().unwrap_or_default();
    let schemas = Schemas::of(row.group, version).ok_or_else(|| anyhow!("nothing is known of {path:?}"))?;
    let whole =
        schemas.of_kind(row.kind, row.group).ok_or_else(|| anyhow!("nothing is known of {path:?}"))?;
    let (mut schema, mut field) = (whole, None);
    for name in fields.split('.').filter(|name| !name.is_empty()) {
        let inner = schemas.inner(schema);
        let known = inner.pointer("/properties").and_then(Value::as_object);
        let Some(found) = known.and_then(|known| known.get(name)) else {
            let known = known.into_iter().flatten().map(|(name, _)| name.as_str());
            let guess = near::name(name, known).map(|near| format!(" (did you mean {near:?}?)"));
            bail!("field {name:?} does not exist{}", guess.unwrap_or_default())
        };
        (schema, field) = (found, Some(name));
    }
    let mut text = String::new();
    if !row.group.is_empty() {
        text.push_str(&format!("GROUP:      {}\n", row.group));
    }
    text.push_str(&format!("KIND:       {}\nVERSION:    {version}\n\n", row.kind));
    if let Some(field) = field {
        text.push_str(&format!("FIELD: {field} <{}>\n\n", schemas.type_of(schema)));
    }
    text.push_str(&format!("DESCRIPTION:\n    {}\n", description(schema, schemas.inner(schema))));
    text.push_str(&values("", schema));
    let inner = schemas.inner(schema);
    if inner.get("properties").is_some() {
        text.push_str("\nFIELDS:\n");
        list(&schemas, inner, recursive, 1, &mut text);
    }
    Ok(text)
}

fn description<'a>(schema: &'a Value, inner: &'a Value) -> &'a str {
    let of = |schema: &'a Value| schema.get("description").and_then(Value::as_str);
    of(schema).or_else(|| of(inner)).unwrap_or("<empty>")
}

fn values(indent: &str, schema: &Value) -> String {
    let values: Vec<&str> = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if values.is_empty() {
        String::new()
    } else {
        format!("{indent}    Possible values: {}\n", values.join(", "))
    }
}

fn list(schemas: &Schemas, schema: &Value, recursive: bool, depth: usize, text: &mut String) {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let indent = "  ".repeat(depth);
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let mark = if required.contains(&name.as_str()) { " -required-" } else { "" };
        text.push_str(&format!("{indent}{name}\t<{}>{mark}\n", schemas.type_of(field)));
        if recursive {
            if depth < DEEPEST {
                list(schemas, schemas.inner(field), true, depth + 1, text);
            }
            continue;
        }
        text.push_str(&values("", field));
        text.push_str(&format!("    {}\n\n", description(field, schemas.inner(field))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_fields_are_explained() {
        let pods = explain("pods", false).expect("known");
        assert!(pods.starts_with("KIND:       Pod\nVERSION:    v1\n\nDESCRIPTION:\n    "), "{pods}");
        assert!(pods.contains("\nFIELDS:\n  apiVersion\t<string>\n"), "{pods}");
        let replicas = explain("deploy.spec.replicas", false).expect("known");
        let head = "GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\nFIELD: replicas <integer>\n\nDESCRIPTION:\n";
        assert!(replicas.starts_with(head), "{replicas}");
        let containers = explain("pod.spec.containers", false).expect("known");
        assert!(containers.contains("FIELD: containers <[]Container>\n"), "{containers}");
        assert!(containers.contains("  name\t<string> -required-\n"), "{containers}");
        let all = explain("pod.spec", true).expect("known");
        assert!(all.contains("\n    imagePullPolicy\t<string>\n"), "{all}");
        assert_eq!(
            explain("pod.spec.contaners", false).expect_err("unknown").to_string(),
            "field \"contaners\" does not exist (did you mean \"containers\"?)"
        );
    }
}
