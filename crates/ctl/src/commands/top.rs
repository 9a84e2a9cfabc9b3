//! `top`: what nodes and pods use now.

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use xebec_api::pod::Resources;
use xebec_client::ListParams;
use xebec_rpc::v1::metrics_client::MetricsClient;
use xebec_rpc::v1::{NodeMetricsRequest, PodMetricsRequest, Usage};

use crate::output::Out;
use crate::session::Session;
use crate::{asked, table};

const MIB: u64 = 1 << 20;

#[derive(Subcommand)]
pub(crate) enum TopCommand {
    /// What nodes use, and how much of what they have that is
    #[command(visible_aliases = ["node", "no"])]
    Nodes(TopNodesArgs),
    /// What pods use
    #[command(visible_aliases = ["pod", "po"])]
    Pods(TopPodsArgs),
}

/// What to sort by, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Cpu,
    Memory,
}

#[derive(Args)]
pub(crate) struct TopNodesArgs {
    /// One node
    pub(crate) name: Option<String>,
    /// The most first
    #[arg(long, value_enum)]
    pub(crate) sort_by: Option<By>,
    /// Leave the headings out
    #[arg(long)]
    pub(crate) no_headers: bool,
}

#[derive(Args)]
pub(crate) struct TopPodsArgs {
    /// One pod
    pub(crate) name: Option<String>,
    /// Of every namespace
    #[arg(short = 'A', long)]
    pub(crate) all_namespaces: bool,
    /// Each container by itself
    #[arg(long)]
    pub(crate) containers: bool,
    /// Only pods with these labels
    #[arg(short = 'l', long, default_value = "")]
    pub(crate) selector: String,
    /// The most first
    #[arg(long, value_enum)]
    pub(crate) sort_by: Option<By>,
    /// Leave the headings out
    #[arg(long)]
    pub(crate) no_headers: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: &TopCommand, out: &mut Out) -> Result<()> {
    match command {
        TopCommand::Nodes(args) => nodes(session, args, out).await,
        TopCommand::Pods(args) => pods(session, args, out).await,
    }
}

/// A row, and what it is sorted by.
struct Row {
    cells: Vec<String>,
    usage: Usage,
}

fn print(mut rows: Vec<Row>, by: Option<By>, headers: &[&str], out: &mut Out) -> Result<()> {
    match by {
        Some(By::Cpu) => rows.sort_by_key(|row| std::cmp::Reverse(row.usage.cpu_nanocores)),
        Some(By::Memory) => rows.sort_by_key(|row| std::cmp::Reverse(row.usage.memory_working_set_bytes)),
        None => {}
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.cells).collect();
    for line in table::lines(headers, &rows) {
        out.line(line)?;
    }
    Ok(())
}

/// Thousandths of a core, rounded up, so that what runs at all is not shown as nothing.
fn millicores(usage: &Usage) -> u64 {
    usage.cpu_nanocores.div_ceil(1_000_000)
}

async fn nodes(session: &Session, args: &TopNodesArgs, out: &mut Out) -> Result<()> {
    let name = args.name.clone().unwrap_or_default();
    let answer = session.client.ask(true, |channel| {
        let request = NodeMetricsRequest { name: name.clone() };
        async move { Ok(MetricsClient::new(channel).nodes(request).await?.into_inner()) }
    });
    let measured = answer.await?.nodes;
    let known = session.client.list(asked::row("nodes")?, "", &ListParams::default()).await?.items;
    let mut rows = Vec::new();
    for node in measured {
        let Some(usage) = node.usage else {
            out.note(format!("Warning: {}", node.error))?;
            let cells = [&node.name, "<unknown>", "<unknown>", "<unknown>", "<unknown>"].map(str::to_owned);
            rows.push(Row { cells: cells.to_vec(), usage: Usage::default() });
            continue;
        };
        let has = known.iter().find(|known| known.name() == node.name);
        let has = Resources::of(has.and_then(|node| node.get(&["status", "allocatable"])));
        let share = |used: u64, all: i128| {
            if all > 0 { format!("{}%", i128::from(used) * 100 / all) } else { "<unknown>".to_owned() }
        };
        let (cpu, memory) = (millicores(&usage), usage.memory_working_set_bytes);
        let cells = vec![
            node.name,
            format!("{cpu}m"),
            share(cpu, has.cpu_millis),
            format!("{}Mi", memory / MIB),
            share(memory, has.memory_bytes),
        ];
        rows.push(Row { cells, usage });
    }
    let headers = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"];
    print(rows, args.sort_by, if args.no_headers { &[] } else { &headers }, out)
}

async fn pods(session: &Session, args: &TopPodsArgs, out: &mut Out) -> Result<()> {
    let request = PodMetricsRequest {
        namespace: if args.all_namespaces { String::new() } else { session.namespace.clone() },
        name: args.name.clone().unwrap_or_default(),
        label_selector: args.selector.clone(),
    };
    let answer = session.client.ask(true, |channel| {
        let request = request.clone();
        async move { Ok(MetricsClient::new(channel).pods(request).await?.into_inner()) }
    });
    let answer = answer.await?;
    for error in &answer.errors {
        out.note(format!("Warning: {error}"))?;
    }
    if answer.pods.is_empty() {
        if args.name.is_some() {
            bail!("metrics not available yet: the pod does not run");
        }
        return Ok(out.note("No resources found")?);
    }
    let mut rows = Vec::new();
    for pod in answer.pods {
        let place = if args.all_namespaces { vec![pod.namespace.clone()] } else { Vec::new() };
        let of = |container: Option<&str>, usage: Usage| {
            let names = std::iter::once(pod.name.clone()).chain(container.map(str::to_owned));
            let amounts =
                [format!("{}m", millicores(&usage)), format!("{}Mi", usage.memory_working_set_bytes / MIB)];
            Row { cells: place.iter().cloned().chain(names).chain(amounts).collect(), usage }
        };
        if args.containers {
            rows.extend(pod.containers.iter().map(|it| of(Some(&it.name), it.usage.unwrap_or_default())));
        } else {
            rows.push(of(None, total(pod.containers.iter().filter_map(|it| it.usage))));
        }
    }
    let mut headers = if args.all_namespaces { vec!["NAMESPACE"] } else { Vec::new() };
    headers.extend(if args.containers { &["POD", "NAME"][..] } else { &["NAME"] });
    headers.extend(["CPU(cores)", "MEMORY(bytes)"]);
    print(rows, args.sort_by, if args.no_headers { &[] } else { &headers }, out)
}

fn total(usages: impl Iterator<Item = Usage>) -> Usage {
    usages.fold(Usage::default(), |sum, usage| Usage {
        cpu_nanocores: sum.cpu_nanocores.saturating_add(usage.cpu_nanocores),
        memory_working_set_bytes: sum.memory_working_set_bytes.saturating_add(usage.memory_working_set_bytes),
    })
}
