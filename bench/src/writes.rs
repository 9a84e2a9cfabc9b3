//! Writes per second and their latency on three members, at 1, 16 and 128 clients with a
//! connection each: a ConfigMap of 1 KiB here, a key of 1 KiB in etcd, in turns.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::task::JoinSet;
use xebec_api::object::Object;
use xebec_api::table;

use crate::Options;
use crate::etcd::{self, Etcd};
use crate::masters::Masters;
use crate::process::Process;
use crate::report::Report;
use crate::stats::{median, ms, percentile};

const CLIENTS: [usize; 3] = [1, 16, 128];
const VALUE_BYTES: usize = 1024;

/// One run's figures.
struct Run {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us_per_write: f64,
}

/// Measures both and adds the table.
///
/// # Errors
/// When one of them does not come up or refuses a write.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    report.begin(
        "Writes of 1 KiB on three members",
        &["clients", "who", "writes/s", "p50 ms", "p99 ms", "CPU µs a write", "× etcd's rate"],
    );
    let masters = Masters::boot(&options.xebec, 3).await?;
    let etcd = Etcd::boot().await?;
    let time = Duration::from_secs(options.seconds);
    for clients in CLIENTS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..options.rounds {
            ours.push(run(&masters.processes, time, xebec_writers(&masters, clients, round).await?).await?);
            theirs.push(run(&etcd.processes, time, etcd_writers(clients, round).await?).await?);
        }
        let rate = median(&mut of(&theirs, |run| run.per_second));
        row(report, clients, "xebec", &ours, rate);
        row(report, clients, "etcd 3.4", &theirs, rate);
    }
    Ok(())
}

fn of(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

fn row(report: &mut Report, clients: usize, who: &str, runs: &[Run], etcd: f64) {
    let middle = |figure: fn(&Run) -> f64| median(&mut of(runs, figure));
    let rate = middle(|run| run.per_second);
    report.row([
        clients.to_string(),
        who.to_owned(),
        format!("{rate:.0}"),
        format!("{:.2}", middle(|run| run.p50_ms)),
        format!("{:.2}", middle(|run| run.p99_ms)),
        format!("{:.0}", middle(|run| run.cpu_us_per_write)),
        format!("{:.2}", rate / etcd),
    ]);
}

type Latencies = Vec<f64>;
type Writer = std::pin::Pin<Box<dyn Future<Output = Result<Latencies>> + Send>>;

/// Lets the writers run, each until the time is over.
async fn run(
    processes: &[Process],
    time: Duration,
    writers: Vec<Box<dyn FnOnce(Instant) -> Writer + Send>>,
) -> Result<Run> {
    let cpu = || processes.iter().map(Process::cpu).sum::<Duration>();
    let (before, start) = (cpu(), Instant::now());
    let mut tasks = JoinSet::new();
    for writer in writers {
        tasks.spawn(writer(start + time));
    }
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done??);
    }
    let (took, spent) = (start.elapsed(), cpu() - before);
    let writes = latencies.len() as f64;
    Ok(Run {
        per_second: writes / took.as_secs_f64(),
        p50_ms: median(&mut latencies),
        p99_ms: percentile(&mut latencies, 99),
        cpu_us_per_write: spent.as_secs_f64() * 1e6 / writes,
    })
}

async fn xebec_writers(
    masters: &Masters,
    clients: usize,
    round: u32,
) -> Result<Vec<Box<dyn FnOnce(Instant) -> Writer + Send>>> {
    let row = table::find("", "configmaps").expect("a built-in kind");
    let mut writers: Vec<Box<dyn FnOnce(Instant) -> Writer + Send>> = Vec::new();
    for index in 0..clients {
        let client = masters.client(index % 3)?;
        client.channel().await?;
        writers.push(Box::new(move |until| {
            Box::pin(async move {
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let name = format!("w{clients}-{round}-{index}-{}", latencies.len());
                    let object = config_map(&name)?;
                    let start = Instant::now();
                    client.create(row, &object).await?;
                    latencies.push(ms(start.elapsed()));
                }
                Ok(latencies)
            })
        }));
    }
    Ok(writers)
}

/// A ConfigMap whose value is as long as etcd's.
pub(crate) fn config_map(name: &str) -> Result<Object> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": {"value": "x".repeat(VALUE_BYTES)}});
    Ok(Object::from_json(object.to_string().as_bytes())?)
}

async fn etcd_writers(clients: usize, round: u32) -> Result<Vec<Box<dyn FnOnce(Instant) -> Writer + Send>>> {
    let mut writers: Vec<Box<dyn FnOnce(Instant) -> Writer + Send>> = Vec::new();
    for index in 0..clients {
        let mut client = etcd::Client::connect(index % 3).await?;
        writers.push(Box::new(move |until| {
            Box::pin(async move {
                let mut latencies = Vec::new();
                while Instant::now() < until {
                    let key = format!("/w{clients}-{round}-{index}-{}", latencies.len());
                    let start = Instant::now();
                    client.put(key, "x".repeat(VALUE_BYTES)).await?;
                    latencies.push(ms(start.elapsed()));
                }
                Ok(latencies)
            })
        }));
    }
    Ok(writers)
}
