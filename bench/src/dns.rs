//! Queries a second on one core, what one costs and what 10,000 names take in memory: the
//! name server on Services of a real master, and Debian's knot and CoreDNS (plugin `file`)
//! on a zone file of the same names, in turns. The client, dnsperf, has the other core.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use xebec_client::{Client, ListParams};

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
const COREDNS: &str = "127.0.0.3:5300";
/// What `go install` takes.
const COREDNS_PROGRAM: &str = "github.com/coredns/coredns@v1.11.3";
const ZONE: &str = "default.svc.cluster.local";
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

/// Who is measured.
struct Server {
    who: &'static str,
    address: &'static str,
    process: Process,
    runs: Vec<Run>,
}

impl Server {
    fn new(who: &'static str, address: &'static str, process: Process) -> Self {
        Self { who, address, process, runs: Vec::new() }
    }

    fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(&mut self.runs.iter().map(figure).collect::<Vec<f64>>())
    }
}

/// Measures them and adds the table.
///
/// # Errors
/// Without dnsperf, knot and Go, or when something does not come up.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let folder = TempDir::with_prefix("xebec-bench-dns-")?;
    let masters = Masters::boot(&options.xebec, 1).await?;
    let client = masters.client(0)?;
    create_many(&client, NAMES, service).await?;
    let addresses = addresses(&client).await?;
    let queries = folder.path().join("queries");
    fs::write(&queries, (0..NAMES).map(|n| format!("{} A\n", name(n))).collect::<String>())?;
    fs::write(folder.path().join("zone"), zone(&addresses))?;
    let mut servers = [
        Server::new("xebec dns", OURS, start_ours(options, &masters, folder.path())?),
        Server::new("knot", KNOT, start_knot(folder.path())?),
        Server::new("CoreDNS, file", COREDNS, start_coredns(folder.path())?),
    ];
    for server in &servers {
        wait_until_it_answers(server.address, &addresses[NAMES - 1])
            .await
            .with_context(|| log_of(folder.path(), server.address))?;
        // Once over all names, so that everything is touched.
        ask(server, &queries, Duration::from_secs(1))?;
    }
    for _ in 0..options.rounds {
        for server in &mut servers {
            let run = ask(server, &queries, Duration::from_secs(options.seconds))?;
            server.runs.push(run);
        }
    }
    report.begin(
        "Names of 10,000 Services, one core",
        &["who", "queries/s", "CPU µs a query", "goal", "RSS MiB", "of it its own", "goal", "× knot's rate"],
    );
    let knot = servers[1].median(|run| run.per_second);
    for server in &servers {
        row(report, server, knot)?;
    }
    Ok(())
}

fn row(report: &mut Report, server: &Server, knot: f64) -> Result<()> {
    let (rate, cpu) = (server.median(|run| run.per_second), server.median(|run| run.cpu_us));
    let rss = server.process.rss_mib()?;
    report.row([
        server.who.to_owned(),
        format!("{rate:.0}"),
        format!("{cpu:.1}"),
        verdict(cpu, CPU_GOAL_US),
        format!("{rss:.1}"),
        format!("{:.1}", server.process.anonymous_mib()?),
        verdict(rss, RSS_GOAL_MIB),
        format!("{:.2}", rate / knot),
    ]);
    Ok(())
}

fn name(number: usize) -> String {
    format!("s{number}.{ZONE}")
}

fn service(number: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("s{number}"), "namespace": "default"},
        "spec": {"ports": [{"name": "http", "port": 80}]}})
}

/// Of every Service, by its number.
async fn addresses(client: &Client) -> Result<Vec<String>> {
    let services = client.list(("", "services"), "default", &ListParams::default()).await?;
    let found: BTreeMap<&str, &str> =
        services.items.iter().map(|service| (service.name(), service.text(&["spec", "clusterIP"]))).collect();
    let of = |number| found.get(&*format!("s{number}")).map(|address| (*address).to_owned());
    (0..NAMES).map(|number| of(number).with_context(|| format!("s{number} is not there"))).collect()
}

fn start_ours(options: &Options, masters: &Masters, folder: &Path) -> Result<Process> {
    let kubeconfig = masters.path(0, "log").with_file_name("admin.kubeconfig");
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(&options.xebec).arg("dns").env("KUBECONFIG", kubeconfig);
    command.env("XEBEC_DNS_LISTEN", OURS).env("XEBEC_DNS_HEALTH", HEALTH);
    Process::start(&mut command, &log(folder, OURS))
}

fn zone(addresses: &[String]) -> String {
    let mut zone = format!(
        "$ORIGIN {ZONE}.\n$TTL 5\n@ SOA ns hostmaster 1 7200 1800 86400 5\n@ NS ns\nns A 127.0.0.2\n"
    );
    for (number, address) in addresses.iter().enumerate() {
        writeln!(zone, "s{number} A {address}").expect("a String");
    }
    zone
}

/// One worker, and the zone as a file.
fn start_knot(folder: &Path) -> Result<Process> {
    let dir = folder.display();
    let config = format!(
        "server:\n  listen: {}\n  rundir: {dir}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: {dir}\n\
         zone:\n  - domain: {ZONE}\n    file: {dir}/zone\n",
        KNOT.replace(':', "@"),
    );
    fs::write(folder.join("knot.conf"), config)?;
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE, "/usr/sbin/knotd", "-c"]).arg(folder.join("knot.conf"));
    Process::start(&mut command, &log(folder, KNOT)).context("knotd (package knot)")
}

/// One processor, and the zone as a file.
fn start_coredns(folder: &Path) -> Result<Process> {
    let (host, port) = COREDNS.split_once(':').context("a port")?;
    let corefile =
        format!("{ZONE}:{port} {{\n    bind {host}\n    file {}\n}}\n", folder.join("zone").display());
    fs::write(folder.join("Corefile"), corefile)?;
    let mut command = Command::new("taskset");
    command.args(["-c", SERVER_CORE]).arg(coredns()?).arg("-conf").arg(folder.join("Corefile"));
    Process::start(command.env("GOMAXPROCS", "1"), &log(folder, COREDNS))
}

/// Where CoreDNS is; installed by Go when it is not there.
fn coredns() -> Result<PathBuf> {
    let home = std::env::var("HOME").context("HOME")?;
    let folder = std::env::var("GOBIN").map_or_else(|_| PathBuf::from(home).join("go/bin"), PathBuf::from);
    let program = folder.join("coredns");
    if !program.exists() {
        let go = Command::new("go").args(["install", COREDNS_PROGRAM]).env("GOBIN", &folder).status();
        ensure!(go.context("go (package golang)")?.success(), "go install {COREDNS_PROGRAM}");
    }
    Ok(program)
}

fn log(folder: &Path, server: &str) -> PathBuf {
    folder.join(format!("{server}.log"))
}

fn log_of(folder: &Path, server: &str) -> String {
    fs::read_to_string(log(folder, server)).unwrap_or_default()
}

async fn wait_until_it_answers(server: &str, last: &str) -> Result<()> {
    let (host, port) = server.split_once(':').context("a port")?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut dig = Command::new("dig");
        dig.args([&format!("@{host}"), "-p", port, "+short", "+time=1", "+tries=1", &name(NAMES - 1)]);
        let found = dig.output().context("dig (package dnsutils)")?.stdout;
        if String::from_utf8_lossy(&found).trim() == last {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{server} does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As many queries as go, for this long.
fn ask(server: &Server, queries: &Path, time: Duration) -> Result<Run> {
    let (host, port) = server.address.split_once(':').context("a port")?;
    let before = server.process.cpu();
    let output = Command::new("taskset")
        .args(["-c", CLIENT_CORE, "dnsperf", "-s", host, "-p", port, "-c", "8", "-q", "200"])
        .args(["-l", &time.as_secs().to_string(), "-d"])
        .arg(queries)
        .output()
        .context("dnsperf (package dnsperf)")?;
    let spent = server.process.cpu() - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse::<f64>().ok()).with_context(|| format!("{label} in {text}"))
    };
    let (completed, per_second) = (figure("Queries completed:")?, figure("Queries per second:")?);
    let good = text.lines().find(|line| line.contains("Response codes:")).unwrap_or_default();
    ensure!(good.contains("NOERROR") && !good.contains(','), "{}: {good}", server.who);
    Ok(Run { per_second, cpu_us: spent.as_secs_f64() * 1e6 / completed })
}
