//! `get`: objects as tables, or whole.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_api::table_view;
use xebec_client::{Cache, Change, ListParams, Selection};

use crate::advice;
use crate::asked::{self, Asked};
use crate::output::Out;
use crate::session::{Session, reference, without_managed_fields};
use crate::table;

/// What to show, and how.
#[derive(Args)]
pub(crate) struct GetArgs {
    /// TYPE, TYPE NAME…, TYPE/NAME…, TYPE,TYPE or `all`
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// How to show it
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<Format>,
    /// Go on showing changes
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Only objects with these labels, such as app=web
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// Only objects with these fields, such as status.phase=Running
    #[arg(long, default_value = "")]
    pub(crate) field_selector: String,
    /// Of every namespace
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Leave the headings out
    #[arg(long)]
    pub(crate) no_headers: bool,
    /// Show labels as a last column
    #[arg(long)]
    pub(crate) show_labels: bool,
    /// Be silent about names that are not there
    #[arg(long)]
    pub(crate) ignore_not_found: bool,
}

/// The forms of `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table with more columns
    Wide,
    /// Whole objects as JSON
    Json,
    /// Whole objects as YAML
    Yaml,
    /// TYPE/NAME only
    Name,
}

/// Shows what was asked for.
pub(crate) async fn run(session: &Session, args: &GetArgs, out: &mut Out) -> Result<()> {
    let asked = asked::parse(&args.words)?;
    if args.watch {
        let [only] = asked.as_slice() else { bail!("-w follows one kind: name one") };
        return watch(session, args, only, out).await;
    }
    let mut groups = Vec::new();
    let mut missing = Vec::new();
    for asked in &asked {
        groups.push((asked.row, collect(session, args, asked, &mut missing).await?));
    }
    match args.output {
        Some(Format::Json | Format::Yaml) => print_whole(args, groups, out)?,
        Some(Format::Name) => {
            for (row, object) in groups.iter().flat_map(|(row, all)| all.iter().map(move |o| (row, o))) {
                out.line(reference(row, object.name()))?;
            }
        }
        Some(Format::Wide) | None => print_tables(session, args, &groups, missing.is_empty(), out)?,
    }
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("; ")) }
}

async fn collect(
    session: &Session,
    args: &GetArgs,
    asked: &Asked,
    missing: &mut Vec<String>,
) -> Result<Vec<Object>> {
    if asked.names.is_empty() {
        let params =
            ListParams { label_selector: args.selector.clone(), field_selector: args.field_selector.clone() };
        return Ok(session.client.list(asked.row, namespace(session, args, asked.row), &params).await?.items);
    }
    if args.all_namespaces || !args.selector.is_empty() || !args.field_selector.is_empty() {
        bail!("give names, or -A, -l and --field-selector, not both");
    }
    let mut found = Vec::new();
    for name in &asked.names {
        match session.client.get(asked.row, session.namespace_of(asked.row), name).await {
            Ok(object) => found.push(object),
            Err(error) if error.reason == xebec_client::Reason::NotFound => {
                if !args.ignore_not_found {
                    let next = advice::next(&error).map(|next| format!("; {next}")).unwrap_or_default();
                    missing.push(format!("{error}{next}"));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn namespace<'a>(session: &'a Session, args: &GetArgs, row: &Resource) -> &'a str {
    if args.all_namespaces { "" } else { session.namespace_of(row) }
}

fn print_whole(args: &GetArgs, groups: Vec<(&Resource, Vec<Object>)>, out: &mut Out) -> Result<()> {
    let single = groups.iter().map(|(_, all)| all.len()).sum::<usize>() == 1
        && (args.words.len() > 1 || args.words.iter().any(|word| word.contains('/')));
    let mut items: Vec<Value> = groups
        .into_iter()
        .flat_map(|(row, all)| all.into_iter().map(move |object| whole(row, object)))
        .collect();
    let value = if single && items.len() == 1 {
        items.remove(0)
    } else {
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
    };
    print_value(&value, args.output, out)
}

/// An object as a person reads it: with its kind first known, without what machines track.
fn whole(row: &Resource, object: Object) -> Value {
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

type Group<'a> = (&'a Resource, Vec<Object>);

fn print_tables(
    session: &Session,
    args: &GetArgs,
    groups: &[Group<'_>],
    tell_empty: bool,
    out: &mut Out,
) -> Result<()> {
    let shown: Vec<&Group<'_>> = groups.iter().filter(|(_, all)| !all.is_empty()).collect();
    if shown.is_empty() && tell_empty {
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
        if groups.len() > 1 {
            let name = usize::from(args.all_namespaces && row.namespaced);
            for (cells, object) in cells.iter_mut().zip(objects) {
                cells[name] = reference(row, object.name());
            }
        }
        for line in table::lines(&headers(args, row), &cells) {
            out.line(line)?;
        }
    }
    Ok(())
}

fn headers(args: &GetArgs, row: &Resource) -> Vec<&'static str> {
    if args.no_headers {
        return Vec::new();
    }
    let mut headers = table_view::headers(row, args.output == Some(Format::Wide), args.all_namespaces);
    if args.show_labels {
        headers.push("LABELS");
    }
    headers
}

fn cells(session: &Session, args: &GetArgs, row: &Resource, object: &Object) -> Vec<String> {
    let wide = args.output == Some(Format::Wide);
    let mut cells = table_view::cells(row, object, wide, args.all_namespaces, (session.now)());
    if args.show_labels {
        let labels: Vec<String> = object.labels().map(|(key, value)| format!("{key}={value}")).collect();
        cells.push(if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") });
    }
    cells
}

/// Shows the objects, then one row for each change, until it is interrupted.
async fn watch(session: &Session, args: &GetArgs, asked: &Asked, out: &mut Out) -> Result<()> {
    let field_selector = match asked.names.as_slice() {
        [] => args.field_selector.clone(),
        [name] => format!("metadata.name={name}"),
        _ => bail!("-w follows one name or all: name one"),
    };
    let namespace = namespace(session, args, asked.row);
    let params = ListParams { label_selector: args.selector.clone(), field_selector: field_selector.clone() };
    // Errors that waiting does not mend are told at once; the cache would only wait.
    session.client.list(asked.row, namespace, &params).await?;
    let selection = Selection {
        resource: asked.row.into(),
        namespace: namespace.to_owned(),
        label_selector: args.selector.clone(),
        field_selector,
    };
    let (cache, mut changes) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    let mut seen = BTreeMap::new();
    let first: Vec<Object> = cache.list().iter().map(|object| object.as_ref().clone()).collect();
    for object in &first {
        seen.insert(object.uid().to_owned(), object.resource_version().to_owned());
    }
    print_watched(session, args, asked.row, &first, true, out)?;
    loop {
        let object = match changes.recv().await {
            Ok(Change::Applied(object) | Change::Deleted(object)) => object,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return Ok(()),
        };
        let version = object.resource_version().to_owned();
        if seen.insert(object.uid().to_owned(), version.clone()) == Some(version) {
            continue;
        }
        print_watched(session, args, asked.row, std::slice::from_ref(object.as_ref()), false, out)?;
    }
}

fn print_watched(
    session: &Session,
    args: &GetArgs,
    row: &Resource,
    objects: &[Object],
    first: bool,
    out: &mut Out,
) -> Result<()> {
    match args.output {
        Some(format @ (Format::Json | Format::Yaml)) => {
            for object in objects {
                if format == Format::Yaml {
                    out.line("---")?;
                }
                print_value(&whole(row, object.clone()), args.output, out)?;
            }
        }
        Some(Format::Name) => {
            for object in objects {
                out.line(reference(row, object.name()))?;
            }
        }
        Some(Format::Wide) | None => {
            // Later rows keep at least the headings' widths.
            let headers = headers(args, row);
            let rows: Vec<Vec<String>> =
                objects.iter().map(|object| cells(session, args, row, object)).collect();
            let lines = table::lines(&headers, &rows);
            let skip = usize::from(!first && !headers.is_empty());
            for line in lines.into_iter().skip(skip) {
                out.line(line)?;
            }
        }
    }
    Ok(out.raw(b"")?)
}
