//! The ingress beside nginx and haproxy, each on one core; the other core has the clients, wrk
//! with kept connections, and the endpoint behind all three, an nginx that says `ok`.
//!
//! All three do the same work for a request: they keep their connections to the endpoint, tell
//! it `X-Forwarded-For`, `-Proto`, `-Host` and `X-Real-IP`, and write a line of an access log
//! with the same fields. Ours gathers lines and so does nginx (`buffer=`); haproxy, whose
//! lines would else cost it a system call each, has them in a ring in its memory and writes
//! them nowhere. TLS is 1.3, with the same certificate of a P-256 key.

mod peers;
mod service;

use std::process::Command;

use anyhow::{Context, Result};

use crate::Options;
use crate::process::Process;
use crate::report::Report;
use crate::stats::median;
use crate::wait::eventually;
use crate::wrk::{Http, wrk};
use peers::Peers;
use service::{HOST, Service};

/// Kept connections of wrk.
const CLIENTS: u32 = 64;
const PROXY_CORE: &str = "0";
const OTHER_CORE: &str = "1";

/// A proxy under test.
struct Proxy<'a> {
    name: &'static str,
    process: &'a Process,
    http: u16,
    https: u16,
}

/// One run's figures.
struct Run {
    http: Http,
    cpu_us: f64,
    rss_mib: f64,
}

/// What the medians of a proxy's runs are.
struct Seen {
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    rss_mib: f64,
}

/// Measures all three, plain and with TLS, and adds the table.
///
/// # Errors
/// Without nginx, haproxy and wrk, or when something does not come up.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let service = Service::run(options).await?;
    let peers = Peers::start(&service.certificate)?;
    let proxies = [
        Proxy {
            name: "xebec ingress",
            process: &service.ingress,
            http: service::HTTP,
            https: service::HTTPS,
        },
        Proxy { name: "nginx", process: &peers.nginx, http: peers::NGINX_HTTP, https: peers::NGINX_HTTPS },
        Proxy {
            name: "haproxy",
            process: &peers.haproxy,
            http: peers::HAPROXY_HTTP,
            https: peers::HAPROXY_HTTPS,
        },
    ];
    report.begin(
        "HTTP by host and path on one core, 64 kept connections",
        &[
            "over",
            "who",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "CPU µs a request",
            "RSS MiB",
            "CPU ÷ nginx's",
            "goal",
            "p99 ÷ nginx's",
            "goal",
        ],
    );
    for tls in [false, true] {
        case(options, report, &proxies, tls)?;
    }
    Ok(())
}

/// Every proxy in turns.
fn case(options: &Options, report: &mut Report, proxies: &[Proxy<'_>], tls: bool) -> Result<()> {
    for proxy in proxies {
        // The first connections open those to the endpoint.
        eventually(proxy.name, || proxy.ask(tls, 1).map(drop))?;
    }
    let mut runs: Vec<Vec<Run>> = proxies.iter().map(|_| Vec::new()).collect();
    for _ in 0..options.rounds {
        for (proxy, runs) in proxies.iter().zip(&mut runs) {
            runs.push(proxy.ask(tls, options.seconds).context(proxy.name)?);
        }
    }
    let seen: Vec<Seen> = runs.iter().map(|runs| Seen::of(runs)).collect();
    let peer = proxies.iter().position(|proxy| proxy.name == "nginx").context("nginx runs")?;
    for (index, proxy) in proxies.iter().enumerate() {
        row(report, if tls { "TLS 1.3" } else { "plain" }, proxy.name, &seen[index], &seen[peer], index == 0);
    }
    Ok(())
}

impl Proxy<'_> {
    fn ask(&self, tls: bool, seconds: u64) -> Result<Run> {
        let (scheme, port) = if tls { ("https", self.https) } else { ("http", self.http) };
        let mut command = Command::new("taskset");
        command.args(["-c", OTHER_CORE, "wrk"]);
        let before = self.process.cpu();
        let http = wrk(command, &format!("{scheme}://{HOST}:{port}/"), CLIENTS, false, seconds)?;
        let spent = self.process.cpu() - before;
        Ok(Run { http, cpu_us: spent.as_secs_f64() * 1e6 / http.requests, rss_mib: self.process.rss_mib()? })
    }
}

impl Seen {
    fn of(runs: &[Run]) -> Self {
        let of = |figure: fn(&Run) -> f64| median(&mut runs.iter().map(figure).collect::<Vec<f64>>());
        Self {
            rate: of(|run| run.http.rate),
            p50_us: of(|run| run.http.p50_us),
            p99_us: of(|run| run.http.p99_us),
            cpu_us: of(|run| run.cpu_us),
            rss_mib: of(|run| run.rss_mib),
        }
    }
}

fn row(report: &mut Report, over: &str, who: &str, seen: &Seen, nginx: &Seen, ours: bool) {
    let verdict = |ratio: f64| match ours {
        true if ratio <= 1.0 => "≤ 1: met",
        true => "≤ 1: missed",
        false => "",
    };
    let (cpu, p99) = (seen.cpu_us / nginx.cpu_us, seen.p99_us / nginx.p99_us);
    report.row([
        over.to_owned(),
        who.to_owned(),
        format!("{:.0}", seen.rate),
        format!("{:.2}", seen.p50_us / 1e3),
        format!("{:.2}", seen.p99_us / 1e3),
        format!("{:.1}", seen.cpu_us),
        format!("{:.1}", seen.rss_mib),
        format!("{cpu:.2}"),
        verdict(cpu).to_owned(),
        format!("{p99:.2}"),
        verdict(p99).to_owned(),
    ]);
}
