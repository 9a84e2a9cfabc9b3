//! `describe`: everything about objects that a person asks, and what happened to them. The
//! values of Secrets are never shown, here least of all.

mod events;
mod generic;
mod ingress;
mod node;
mod page;
mod pod;
mod service;
mod workload;

use anyhow::{Result, anyhow, bail};
use clap::{ArgAction, Args};
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::{ListParams, Reason};

use crate::asked;
use crate::manifest::{self, Files};
use crate::output::Out;
use crate::session::Session;
use page::Page;

/// What to describe.
#[derive(Args)]
pub(crate) struct DescribeArgs {
    /// TYPE, TYPE NAME… or TYPE/NAME…; of a name its beginning is enough
    #[arg(required_unless_present = "filename", conflicts_with = "filename")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// Objects with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// Of every namespace
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// With what happened to them
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub(crate) show_events: bool,
}

/// Describes each of them.
pub(crate) async fn run(session: &Session, args: &DescribeArgs, out: &mut Out) -> Result<()> {
    let objects = objects(session, args).await?;
    if objects.is_empty() {
        bail!("there is nothing to describe: `xctl get` with the same words shows what there is");
    }
    for (index, (row, object)) in objects.iter().enumerate() {
        if index > 0 {
            out.line("\n")?;
        }
        out.raw(one(session, args, row, object).await?.as_bytes())?;
    }
    Ok(())
}

async fn objects(session: &Session, args: &DescribeArgs) -> Result<Vec<(&'static Resource, Object)>> {
    let mut objects = Vec::new();
    if !args.files.is_empty() {
        for document in manifest::read(session, &args.files)? {
            let (row, object) = document.map_err(|error| anyhow!(error))?;
            objects.push((row, session.client.get(row, object.namespace(), object.name()).await?));
        }
        return Ok(objects);
    }
    for asked in asked::parse(&args.words)? {
        let row = asked.row;
        if asked.names.is_empty() {
            let namespace = if args.all_namespaces { "" } else { session.namespace_of(row) };
            let params = ListParams { label_selector: args.selector.clone(), ..ListParams::default() };
            let found = session.client.list(row, namespace, &params).await?.items;
            objects.extend(found.into_iter().map(|object| (row, object)));
        }
        for name in &asked.names {
            objects.extend(named(session, row, name).await?.into_iter().map(|object| (row, object)));
        }
    }
    Ok(objects)
}

/// The object of this name; else those whose names begin so.
async fn named(session: &Session, row: &'static Resource, name: &str) -> Result<Vec<Object>> {
    let namespace = session.namespace_of(row);
    let error = match session.client.get(row, namespace, name).await {
        Ok(object) => return Ok(vec![object]),
        Err(error) if error.reason == Reason::NotFound => error,
        Err(error) => return Err(error.into()),
    };
    let mut near = session.client.list(row, namespace, &ListParams::default()).await?.items;
    near.retain(|object| object.name().starts_with(name));
    if near.is_empty() { Err(error.into()) } else { Ok(near) }
}

async fn one(
    session: &Session,
    args: &DescribeArgs,
    row: &'static Resource,
    object: &Object,
) -> Result<String> {
    let mut page = Page::default();
    match (row.group, row.kind) {
        ("", "Pod") => pod::describe(object, &mut page),
        ("", "Node") => node::describe(object, &node::pods(session, object).await?, &mut page),
        ("", "Service") => service::describe(object, &service::slices(session, object).await?, &mut page),
        ("networking.k8s.io", "Ingress") => {
            ingress::describe(object, &ingress::backends(session, object).await?, &mut page);
        }
        ("apps", _) => workload::describe(object, &workload::sets(session, object).await?, &mut page),
        _ => generic::describe(object, &mut page),
    }
    if args.show_events {
        let events = events::of(session, object).await?;
        events::describe(&events, (session.now)(), &mut page);
    }
    Ok(page.finish())
}
