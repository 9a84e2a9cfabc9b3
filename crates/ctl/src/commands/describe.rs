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

use anyhow::{Result, bail};
use clap::Args;
use xebec_api::object::Object;
use xebec_api::resource::Resource;
use xebec_client::ListParams;

use crate::asked;
use crate::output::Out;
use crate::session::Session;
use page::Page;

/// What to describe.
#[derive(Args)]
pub(crate) struct DescribeArgs {
    /// TYPE, TYPE NAME… or TYPE/NAME…
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Objects with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// Of every namespace
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
}

/// Describes each of them.
pub(crate) async fn run(session: &Session, args: &DescribeArgs, out: &mut Out) -> Result<()> {
    let mut first = true;
    for asked in asked::parse(&args.words)? {
        let namespace = if args.all_namespaces { "" } else { session.namespace_of(asked.row) };
        let objects = if asked.names.is_empty() {
            let params = ListParams { label_selector: args.selector.clone(), ..ListParams::default() };
            session.client.list(asked.row, namespace, &params).await?.items
        } else {
            let mut objects = Vec::new();
            for name in &asked.names {
                objects.push(session.client.get(asked.row, namespace, name).await?);
            }
            objects
        };
        for object in objects {
            if !std::mem::take(&mut first) {
                out.line("\n")?;
            }
            out.raw(one(session, asked.row, &object).await?.as_bytes())?;
        }
    }
    if first {
        bail!("there is nothing to describe: `xctl get` with the same words shows what there is");
    }
    Ok(())
}

async fn one(session: &Session, row: &'static Resource, object: &Object) -> Result<String> {
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
    let events = events::of(session, object).await?;
    events::describe(&events, (session.now)(), &mut page);
    Ok(page.finish())
}
