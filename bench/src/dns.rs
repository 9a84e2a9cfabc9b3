//! Queries a second on one core, what one costs and what 10,000 names take in memory: the
//! name server on Services of a real master, and Debian's knot on a zone file of the same
//! names, in turns. The client, dnsperf, has the other core.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Options;
use crate::masters::Masters;
use crate::objects::create_many;
use crate::process::Process;
use crate::report::{Report, verdict};
use crate::stats::median;

const NAMES: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(60);
const OURS: &str = "127.0.0.1:5300";
const KNOT: &str = "127.0.0.2:5300";
const HEALTH: &str = "127.0.0.1:5380";
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
const CPU_GOAL_US: f64 = 8.0;
const RSS_GOAL_MIB: f64 = 20.0;

/// One run's figures.
struct Run {
    per_second: f64,
    cpu_us: f64,
}

/// Measures both and adds the table.
///
/// # Errors
/// Without dnsperf and knot, or when something does not come up.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let folder = TempDir::with_prefix("xebec-bench-dns-")?;
    let masters = Masters::boot(&options.xebec, 1).await?;
    create_many(&masters.client(0)?, NAMES, service).await?;
    let queries = folder.path().join("queries");
    fs::write(&queries, (0..NAMES).map(|n| format!("{} A\n", name(n))).collect::<String>())?;
    let ours = start_ours(options, &masters, folder.path())?;
    let knot = start_knot(folder.path())?;
    for (server, process) in [(OURS, &ours), (KNOT, &knot)] {
        wait_until_it_answers(server).await.with_context(|| log_of(folder.path(), server))?;
        // Once over all names, so that everything is touched.
        ask(server, process, &queries, Duration::from_secs(1))?;
    }
    let (mut our_runs, mut knot_runs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        our_runs.push(ask(OURS, &ours, &queries, Duration::from_secs(options.seconds))?);
        knot_runs.push(ask(KNOT, &knot, &queries, Duration::from_secs(options.seconds))?);
    }
    report.begin(
        "Names of 10,000 Services, one core",
        &["who", "queries/s", "CPU µs a query", "goal", "RSS MiB", "goal", "× knot's rate"],
    );
    let rate = median(&mut of(&knot_runs, |run| run.per_second));
    row(report, "xebec dns", &our_runs, ours.rss_mib()?, rate);
    row(report, "knot", &knot_runs, knot.rss_mib()?, rate);
    Ok(())
}

fn of(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

fn row(report: &mut Report, who: &str, runs: &[Run], rss: f64, knot: f64) {
    let (rate, cpu) = (median(&mut of(runs, |run| run.per_second)), median(&mut of(runs, |run| run.cpu_us)));
    report.row([
        who.to_owned(),
        format!("{rate:.0}"),
        format!("{cpu:.1}"),
        verdict(cpu, CPU_GOAL_US),
        format!("{rss:.1}"),
        verdict(rss, RSS_GOAL_MIB),
        format!("{:.2}", rate / knot),
    ]);
}

fn name(number: usize) -> String {
    format!("s{number}.default.svc.cluster.local")
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 43, 64, 0)) + u32::try_from(number).expect("few"))
}

fn service(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("s{number}"), "namespace": "default"},
        "spec": {"clusterIP": address(number).to_string(), "ports": [{"name": "http", "port": 80}]}})
}

fn start_ours(options: &Options, masters: &Masters, folder: &Path) -> Result<Process> {
    let kubeconfig = masters.path(0, "log").with_file_name("admin.kubeconfig");
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(&options.xebec).arg("dns").env("KUBECONFIG", kubeconfig);
    command.env("XEBEC_DNS_LISTEN", OURS).env("XEBEC_DNS_HEALTH", HEALTH);
    Process::start(&mut command, &log(folder, OURS))
}

/// One worker, and the zone as a file.
fn start_knot(folder: &Path) -> Result<Process> {
    let mut zone = "$ORIGIN default.svc.cluster.local.\n$TTL 5\n@ SOA ns hostmaster 1 7200 1800 86400 5\n@ NS ns\nns A 127.0.0.2\n".to_owned();
    for number in 0..NAMES {
        writeln!(zone, "s{number} A {}", address(number)).expect("a String");
    }
    fs::write(folder.join("zone"), zone)?;
    let dir = folder.display();
    let config = format!(
        "server:\n  listen: {}\n  rundir: {dir}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: {dir}\n\
         zone:\n  - domain: default.svc.cluster.local\n    file: {dir}/zone\n",
        KNOT.replace(':', "@"),
    );
    fs::write(folder.join("knot.conf"), config)?;
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE, "/usr/sbin/knotd", "-c"]).arg(folder.join("knot.conf"));
    Process::start(&mut command, &log(folder, KNOT)).context("knotd (package knot)")
}

fn log(folder: &Path, server: &str) -> PathBuf {
    folder.join(format!("{server}.log"))
}

fn log_of(folder: &Path, server: &str) -> String {
    fs::read_to_string(log(folder, server)).unwrap_or_default()
}

async fn wait_until_it_answers(server: &str) -> Result<()> {
    let (host, port) = server.split_once(':').context("a port")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut dig = Command::new("dig");
        dig.args([&format!("@{host}"), "-p", port, "+short", "+time=1", "+tries=1", &name(NAMES - 1)]);
        let found = dig.output().context("dig (package dnsutils)")?.stdout;
        if String::from_utf8_lossy(&found).trim() == address(NAMES - 1).to_string() {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{server} does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As many queries as go, for this long.
fn ask(server: &str, process: &Process, queries: &Path, time: Duration) -> Result<Run> {
    let (host, port) = server.split_once(':').context("a port")?;
    let before = process.cpu();
    let output = Command::new("taskset")
        .args(["-c", CLIENT_CORE, "dnsperf", "-s", host, "-p", port, "-c", "8", "-q", "200"])
        .args(["-l", &time.as_secs().to_string(), "-d"])
        .arg(queries)
        .output()
        .context("dnsperf (package dnsperf)")?;
    let spent = process.cpu() - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse::<f64>().ok()).with_context(|| format!("{label} in {text}"))
    };
    let (completed, per_second) = (figure("Queries completed:")?, figure("Queries per second:")?);
    let good = text.lines().find(|line| line.contains("Response codes:")).unwrap_or_default();
    ensure!(good.contains("NOERROR") && !good.contains(','), "{server}: {good}");
    Ok(Run { per_second, cpu_us: spent.as_secs_f64() * 1e6 / completed })
}
