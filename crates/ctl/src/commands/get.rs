//! `get`: objects as tables, or whole.

mod print;
mod view;
mod watch;

use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::ListParams;

use crate::advice;
use crate::asked::{self, Asked};
use crate::jsonpath::Path;
use crate::manifest::{self, Files};
use crate::output::Out;
use crate::session::Session;
pub(crate) use print::{print_value, whole};
pub(crate) use view::View;

/// What to show, and how.
#[derive(Args)]
pub(crate) struct GetArgs {
    /// TYPE, TYPE NAME…, TYPE/NAME…, TYPE,TYPE or `all`
    #[arg(required_unless_present = "filename", conflicts_with = "filename")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// wide, json, yaml, name, jsonpath=TEMPLATE or custom-columns=HEADING:PATH,…
    #[arg(short, long)]
    pub(crate) output: Option<View>,
    /// Go on showing changes
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Show changes only, not what is there now
    #[arg(long)]
    pub(crate) watch_only: bool,
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
    /// Show the values of these labels as columns
    #[arg(short = 'L', long, value_delimiter = ',')]
    pub(crate) label_columns: Vec<String>,
    /// Show names as TYPE/NAME
    #[arg(long)]
    pub(crate) show_kind: bool,
    /// Sort by what a path leads to, such as .metadata.creationTimestamp
    #[arg(long, value_name = "PATH", value_parser = Path::parse)]
    pub(crate) sort_by: Option<Path>,
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
    let mut missing = Vec::new();
    let mut groups = Vec::new();
    let mut is_named = !args.files.is_empty();
    if args.files.is_empty() {
        let asked = asked::parse(&args.words)?;
        is_named = asked.iter().any(|asked| !asked.names.is_empty());
        if args.watch || args.watch_only {
            let [only] = asked.as_slice() else { bail!("-w follows one kind: name one") };
            return watch::run(session, args, only, out).await;
        }
        for asked in &asked {
            groups.push((asked.row, collect(session, args, asked, &mut missing).await?));
        }
    } else {
        groups = named_by_files(session, args).await?;
    }
    if let Some(path) = &args.sort_by {
        groups.iter_mut().for_each(|(_, objects)| print::sort(objects, path));
    }
    let is_nothing = groups.iter().all(|(_, objects)| objects.is_empty());
    // Of what was named and is not there, not even an empty list: a program would take that for the object.
    if !(is_named && is_nothing) {
        print::all(session, args, groups, out)?;
    }
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("; ")) }
}

/// What is there of what files name, in their order.
async fn named_by_files(session: &Session, args: &GetArgs) -> Result<Vec<(&'static Resource, Vec<Object>)>> {
    let mut groups: Vec<(&'static Resource, Vec<Object>)> = Vec::new();
    for document in manifest::read(session, &args.files)? {
        let (row, object) = document.map_err(|error| anyhow!(error))?;
        let (namespace, name) = (object.namespace(), object.name());
        let present = if args.ignore_not_found {
            let Some(present) = session.client.find(row, namespace, name).await? else { continue };
            present
        } else {
            session.client.get(row, namespace, name).await?
        };
        match groups.iter_mut().find(|(known, _)| std::ptr::eq(*known, row)) {
            Some((_, objects)) => objects.push(present),
            None => groups.push((row, vec![present])),
        }
    }
    Ok(groups)
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
