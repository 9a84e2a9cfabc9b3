//! Objects on the way out: whole, as tables, or only what paths lead to.

use std::cmp::Ordering;

use anyhow::Result;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::quantity::Quantity;
use xebec_api::resource::Resource;
use xebec_api::table_view;

use super::{Format, GetArgs, View};
use crate::jsonpath::{Path, scalar};
use crate::output::Out;
use crate::session::{Session, reference, without_managed_fields};
use crate::table;

type Group<'a> = (&'a Resource, Vec<Object>);

/// Prints what was found, in the form that was asked for.
pub(super) fn all(session: &Session, args: &GetArgs, groups: Vec<Group<'_>>, out: &mut Out) -> Result<()> {
    match &args.output {
        Some(View::Json) => print_value(&collected(args, groups), Some(Format::Json), out),
        Some(View::Yaml) => print_value(&collected(args, groups), Some(Format::Yaml), out),
        Some(View::JsonPath(template)) => Ok(out.raw(template.print(&collected(args, groups)).as_bytes())?),
        Some(View::JsonPathAsJson(path)) => {
            let whole = collected(args, groups);
            let found: Vec<Value> = path.find(&whole).into_iter().cloned().collect();
            print_value(&Value::Array(found), Some(Format::Json), out)
        }
        Some(View::Name) => {
            for (row, object) in groups.iter().flat_map(|(row, all)| all.iter().map(move |o| (row, o))) {
                out.line(reference(row, object.name()))?;
            }
            Ok(())
        }
        Some(View::Columns(columns)) => {
            let objects =
                groups.into_iter().flat_map(|(row, all)| all.into_iter().map(move |it| whole(row, it)));
            print_columns(args, columns, &objects.collect::<Vec<_>>(), out)
        }
        Some(View::Wide) | None => print_tables(session, args, &groups, out),
    }
}

/// Puts objects in the order of what a path leads to: numbers and amounts by size, texts by letters.
pub(super) fn sort(objects: &mut [Object], path: &Path) {
    objects.sort_by_cached_key(|object| Key(path.text(&object.clone().into_value())));
}

#[derive(PartialEq, Eq)]
struct Key(String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = match (Quantity::parse(&self.0), Quantity::parse(&other.0)) {
            (Ok(a), Ok(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (a, b) => b.is_ok().cmp(&a.is_ok()),
        };
        by_size.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One object, or a list of all.
fn collected(args: &GetArgs, groups: Vec<Group<'_>>) -> Value {
    let single = args.words.len() > 1 || args.words.iter().any(|word| word.contains('/'));
    let mut items: Vec<Value> = groups
        .into_iter()
        .flat_map(|(row, all)| all.into_iter().map(move |object| whole(row, object)))
        .collect();
    if (single || !args.files.is_empty()) && items.len() == 1 {
        return items.remove(0);
    }
    json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
}

fn print_columns(args: &GetArgs, columns: &[(String, Path)], objects: &[Value], out: &mut Out) -> Result<()> {
    let rows: Vec<Vec<String>> = objects.iter().map(|object| column_cells(columns, object)).collect();
    let headings = headings(columns);
    for line in table::lines(if args.no_headers { &[] } else { &headings }, &rows) {
        out.line(line)?;
    }
    Ok(())
}

/// The headings of columns of the user's own.
pub(super) fn headings(columns: &[(String, Path)]) -> Vec<&str> {
    columns.iter().map(|(heading, _)| heading.as_str()).collect()
}

/// What they show of an object.
pub(super) fn column_cells(columns: &[(String, Path)], object: &Value) -> Vec<String> {
    let cell = |path: &Path| {
        let found: Vec<String> = path.find(object).into_iter().map(scalar).collect();
        if found.is_empty() { "<none>".to_owned() } else { found.join(",") }
    };
    columns.iter().map(|(_, path)| cell(path)).collect()
}

/// An object as a person reads it: with its kind first known, without what machines track.
pub(crate) fn whole(row: &Resource, object: Object) -> Value {
    let mut object = without_managed_fields(object);
    if object.kind().is_empty() {
        object.set(&["kind"], row.kind);
        object.set(&["apiVersion"], row.api_version());
    }
    object.into_value()
}

/// One value as JSON or YAML.
pub(crate) fn print_value(value: &Value, format: Option<Format>, out: &mut Out) -> Result<()> {
    if format == Some(Format::Yaml) {
        out.raw(serde_yaml_ng::to_string(value)?.as_bytes())?;
    } else {
        out.line(serde_json::to_string_pretty(value)?)?;
    }
    Ok(())
}

fn print_tables(session: &Session, args: &GetArgs, groups: &[Group<'_>], out: &mut Out) -> Result<()> {
    let shown: Vec<&Group<'_>> = groups.iter().filter(|(_, all)| !all.is_empty()).collect();
    if shown.is_empty() {
        let namespaced = groups.iter().any(|(row, _)| row.namespaced) && !args.all_namespaces;
        let place = if namespaced { format!(" in {} namespace", session.namespace) } else { String::new() };
        out.note(format!("No resources found{place}."))?;
    }
    for (index, (row, objects)) in shown.iter().enumerate() {
        if index > 0 {
            out.line("")?;
        }
        let mut cells: Vec<Vec<String>> =
            objects.iter().map(|object| cells(session, args, row, object)).collect();
        if groups.len() > 1 || args.show_kind {
            let name = usize::from(args.all_namespaces && row.namespaced);
            for (cells, object) in cells.iter_mut().zip(objects) {
                cells[name] = reference(row, object.name());
            }
        }
        let headers = headers(args, row);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        for line in table::lines(&headers, &cells) {
            out.line(line)?;
        }
    }
    Ok(())
}

pub(super) fn headers(args: &GetArgs, row: &Resource) -> Vec<String> {
    if args.no_headers {
        return Vec::new();
    }
    let shown = table_view::headers(row, args.output == Some(View::Wide), args.all_namespaces);
    let mut headers: Vec<String> = shown.into_iter().map(str::to_owned).collect();
    // `example.com/tier` is headed TIER.
    headers.extend(
        args.label_columns.iter().map(|key| key.rsplit('/').next().unwrap_or_default().to_uppercase()),
    );
    if args.show_labels {
        headers.push("LABELS".to_owned());
    }
    headers
}

pub(super) fn cells(session: &Session, args: &GetArgs, row: &Resource, object: &Object) -> Vec<String> {
    let wide = args.output == Some(View::Wide);
    let mut cells = table_view::cells(row, object, wide, args.all_namespaces, (session.now)());
    let label = |key: &String| object.get(&["metadata", "labels", key]).map_or("<none>".to_owned(), scalar);
    cells.extend(args.label_columns.iter().map(label));
    if args.show_labels {
        let labels: Vec<String> = object.labels().map(|(key, value)| format!("{key}={value}")).collect();
        cells.push(if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") });
    }
    cells
}
