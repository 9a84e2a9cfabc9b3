//! `xebec-bench`: what `cargo xtask bench` runs. Every figure is taken from real release
//! processes in namespaces of their own; a peer runs beside, in turns, in the same run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod account;
mod dns;
mod endpoints;
mod etcd;
mod failover;
mod hosts;
mod ingress;
mod masters;
mod memory;
mod node;
mod objects;
mod pods;
mod process;
mod proxy;
mod report;
mod sandbox;
mod start;
mod stats;
mod wait;
mod writes;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::report::Report;

/// Measures, and prints tables.
#[derive(Parser)]
pub(crate) struct Options {
    /// What to measure; everything when nothing is named.
    #[arg(value_enum)]
    subjects: Vec<Subject>,
    /// The release binary under test.
    #[arg(long)]
    xebec: PathBuf,
    /// How often everything is repeated.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one run of writes.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Set by the bench itself: it runs in its own namespaces already.
    #[arg(long, hide = true)]
    inside: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Writes per second and their latency, beside etcd.
    Writes,
    /// From exec to ready: a master, and `xebec up`.
    Start,
    /// What masters and agents hold when idle.
    Memory,
    /// From created to Ready: one pod, 50 replicas.
    Pods,
    /// From the leader's kill -9 to the next accepted write.
    Failover,
    /// TCP and UDP through a node's proxy, beside haproxy, nginx and a DNAT.
    Proxy,
    /// Queries of 10,000 names on one core, beside knot.
    Dns,
    /// HTTP through the ingress on one core, beside nginx and haproxy.
    Ingress,
    /// From an endpoint's readiness to its use by proxies, DNS and the ingress.
    Endpoints,
}

const ALL: [Subject; 9] = [
    Subject::Start,
    Subject::Memory,
    Subject::Pods,
    Subject::Failover,
    Subject::Writes,
    Subject::Proxy,
    Subject::Dns,
    Subject::Ingress,
    Subject::Endpoints,
];

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = if options.inside { inside(&options) } else { sandbox::enter() };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn inside(options: &Options) -> anyhow::Result<()> {
    sandbox::set_up_network()?;
    xebec_rpc::tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let subjects = if options.subjects.is_empty() { &ALL[..] } else { &options.subjects[..] };
    let mut report = Report::default();
    for subject in subjects {
        match subject {
            Subject::Writes => writes::measure(options, &mut report).await?,
            Subject::Start => start::measure(options, &mut report).await?,
            Subject::Memory => memory::measure(options, &mut report).await?,
            Subject::Pods => pods::measure(options, &mut report).await?,
            Subject::Failover => failover::measure(options, &mut report).await?,
            Subject::Proxy => proxy::measure(options, &mut report).await?,
            Subject::Dns => dns::measure(options, &mut report).await?,
            Subject::Ingress => ingress::measure(options, &mut report).await?,
            Subject::Endpoints => endpoints::measure(options, &mut report).await?,
        }
        report.print_last();
    }
    Ok(())
}
