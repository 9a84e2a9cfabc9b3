//! `events`: what happened, oldest first.

use anyhow::{Result, anyhow};
use clap::Args;
use tokio::sync::broadcast::error::RecvError;
use xebec_api::object::Object;
use xebec_api::table_view;
use xebec_client::{Cache, Change, ListParams, Selection};

use crate::output::Out;
use crate::session::Session;
use crate::{asked, seen, table};

/// Of what, and which.
#[derive(Args)]
pub(crate) struct EventsArgs {
    /// Only of this object, as TYPE/NAME
    #[arg(long, value_name = "TYPE/NAME")]
    pub(crate) r#for: Option<String>,
    /// Only of these types, such as Warning
    #[arg(long, value_delimiter = ',')]
    pub(crate) types: Vec<String>,
    /// Of every namespace
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Go on showing new ones
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Leave the headings out
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// Shows them.
pub(crate) async fn run(session: &Session, args: &EventsArgs, out: &mut Out) -> Result<()> {
    let row = asked::row("events")?;
    let namespace = if args.all_namespaces { "" } else { &session.namespace };
    let field_selector = about(args)?;
    let params = ListParams { field_selector: field_selector.clone(), ..ListParams::default() };
    let mut events = session.client.list(row, namespace, &params).await?.items;
    events.retain(|event| is_wanted(args, event));
    events.sort_by_key(|event| seen::last(event).to_owned());
    if events.is_empty() && !args.watch {
        let place = if args.all_namespaces { String::new() } else { format!(" in {namespace} namespace") };
        return Ok(out.note(format!("No events found{place}."))?);
    }
    print(session, args, &events, !args.no_headers, out)?;
    if !args.watch {
        return Ok(());
    }
    let selection = Selection { namespace: namespace.to_owned(), field_selector, ..Selection::all(row) };
    let (cache, mut changes) = Cache::start(session.client.clone(), selection);
    cache.synced().await;
    loop {
        let event = match changes.recv().await {
            Ok(Change::Applied(event)) => event,
            Ok(Change::Deleted(_)) | Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return Ok(()),
        };
        let known = events.iter().any(|old| old.resource_version() == event.resource_version());
        if !known && is_wanted(args, &event) {
            print(session, args, std::slice::from_ref(event.as_ref()), false, out)?;
        }
    }
}

/// The selector of `--for`.
fn about(args: &EventsArgs) -> Result<String> {
    let Some(about) = &args.r#for else { return Ok(String::new()) };
    let (kind, name) = about.split_once('/').ok_or_else(|| anyhow!("--for {about:?}: write TYPE/NAME"))?;
    Ok(format!("involvedObject.kind={},involvedObject.name={name}", asked::row(kind)?.kind))
}

fn is_wanted(args: &EventsArgs, event: &Object) -> bool {
    args.types.is_empty() || args.types.iter().any(|kind| kind.eq_ignore_ascii_case(event.text(&["type"])))
}

fn print(session: &Session, args: &EventsArgs, events: &[Object], headed: bool, out: &mut Out) -> Result<()> {
    let row = asked::row("events")?;
    let headers = table_view::headers(row, false, args.all_namespaces);
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| table_view::cells(row, event, false, args.all_namespaces, (session.now)()))
        .collect();
    let lines = table::lines(&headers, &rows);
    for line in lines.into_iter().skip(usize::from(!headed)) {
        out.line(line)?;
    }
    Ok(out.raw(b"")?)
}
