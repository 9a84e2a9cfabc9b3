//! `api-resources`: the kinds that the server has.

use anyhow::Result;
use clap::{ArgAction, Args};

use crate::commands::delete::OnlyName;
use crate::output::Out;
use crate::session::Session;
use crate::table;

/// Which of them, and how.
#[derive(Args)]
pub(crate) struct ApiResourcesArgs {
    /// Only those that are in a namespace, or, with false, those that are not
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) namespaced: Option<bool>,
    /// Only those of this group, such as apps
    #[arg(long)]
    pub(crate) api_group: Option<String>,
    /// Only the names, with their groups
    #[arg(short, long, value_enum)]
    pub(crate) output: Option<OnlyName>,
    /// Leave the headings out
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// Lists them.
pub(crate) async fn run(session: &Session, args: &ApiResourcesArgs, out: &mut Out) -> Result<()> {
    let mut kinds = session.client.discover().await?.resources;
    kinds.retain(|kind| {
        args.namespaced.is_none_or(|wanted| kind.namespaced == wanted)
            && args.api_group.as_ref().is_none_or(|wanted| kind.group == *wanted)
    });
    if args.output == Some(OnlyName::Name) {
        let dotted = |resource: &str, group: &str| {
            if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
        };
        let mut names: Vec<String> = kinds.iter().map(|kind| dotted(&kind.resource, &kind.group)).collect();
        names.sort();
        names.dedup();
        for name in names {
            out.line(name)?;
        }
        return Ok(());
    }
    let mut rows: Vec<Vec<String>> = kinds
        .into_iter()
        .map(|kind| {
            let version =
                if kind.group.is_empty() { kind.version } else { format!("{}/{}", kind.group, kind.version) };
            vec![kind.resource, kind.short_names.join(","), version, kind.namespaced.to_string(), kind.kind]
        })
        .collect();
    rows.sort();
    let headers = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"];
    for line in table::lines(if args.no_headers { &[] } else { &headers }, &rows) {
        out.line(line)?;
    }
    Ok(())
}
