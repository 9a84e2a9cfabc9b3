//! Connections: bulk, kept ones with small requests, and new ones.

use std::time::Duration;

use anyhow::Result;

use super::Path;
use super::row::{HTTP, IPERF, Row};
use super::tools::iperf;
use crate::Options;
use crate::process::cpu_of_machine;
use crate::report::Report;
use crate::stats::median;
use crate::wrk::{Http, wrk};

/// Connections of wrk.
const CLIENTS: u32 = 64;

/// One measurement: what it gives, and how many of its units a second are one unit of work
/// for the CPU figure.
struct Case {
    name: &'static str,
    unit: &'static str,
    /// The goal, as a ratio to a peer of that name; less is better where `lower`.
    goals: &'static [(&'static str, f64)],
    lower: bool,
    run: fn(&Row, &str, u64) -> Result<f64>,
}

const CASES: [Case; 5] = [
    Case {
        name: "bulk, 1 stream",
        unit: "Gbit/s",
        goals: &[("haproxy, tuned", 1.0), ("DNAT", 0.8)],
        lower: false,
        run: |row, address, seconds| iperf(row, address, 1, seconds),
    },
    Case {
        name: "bulk, 16 streams",
        unit: "Gbit/s",
        goals: &[("haproxy, tuned", 1.0), ("DNAT", 0.8)],
        lower: false,
        run: |row, address, seconds| iperf(row, address, 16, seconds),
    },
    Case {
        name: "requests, 64 kept connections",
        unit: "1000/s",
        goals: &[("haproxy", 1.2)],
        lower: false,
        run: |row, address, seconds| Ok(load(row, address, CLIENTS, false, seconds)?.rate / 1e3),
    },
    Case {
        name: "new connections",
        unit: "1000/s",
        goals: &[("haproxy", 1.05)],
        lower: false,
        run: |row, address, seconds| Ok(load(row, address, CLIENTS, true, seconds)?.rate / 1e3),
    },
    Case {
        name: "p50, one client",
        unit: "µs",
        goals: &[("haproxy", 1.0)],
        lower: true,
        run: |row, address, seconds| Ok(load(row, address, 1, false, seconds)?.p50_us),
    },
];

fn load(row: &Row, address: &str, connections: u32, close: bool, seconds: u64) -> Result<Http> {
    wrk(row.command("client", "wrk"), &format!("http://{address}/"), connections, close, seconds)
}

/// Measures every case on every path, in turns, and adds the table.
///
/// # Errors
/// When a tool fails.
pub(crate) fn measure(options: &Options, report: &mut Report, row: &Row, paths: &[Path<'_>]) -> Result<()> {
    let headers =
        ["what", "unit", "path", "seen", "xebec ÷ it", "CPU s of the process", "of the machine", "goal"];
    report.begin("TCP through a node: medians of the rounds, CPU of one round", &headers);
    for case in &CASES {
        let mut seen: Vec<Seen> = paths.iter().map(|_| Seen::default()).collect();
        for _ in 0..options.rounds {
            for (path, seen) in paths.iter().zip(&mut seen) {
                seen.add(path, || (case.run)(row, &(path.address)(case.port()), options.seconds))?;
            }
        }
        let own = median(&mut seen[0].values);
        for (path, seen) in paths.iter().zip(&mut seen) {
            report.row(cells(case, path, seen, own, options.rounds));
        }
    }
    Ok(())
}

impl Case {
    fn port(&self) -> u16 {
        if self.unit == "Gbit/s" { IPERF } else { HTTP }
    }
}

/// What was seen of one path.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) values: Vec<f64>,
    pub(super) cpu: Duration,
    pub(super) machine: Duration,
}

impl Seen {
    pub(super) fn add(&mut self, path: &Path<'_>, run: impl FnOnce() -> Result<f64>) -> Result<()> {
        let cpu = || path.process.map(crate::process::Process::cpu).unwrap_or_default();
        let (own, machine) = (cpu(), cpu_of_machine());
        self.values.push(run()?);
        self.cpu += cpu().saturating_sub(own);
        self.machine += cpu_of_machine().saturating_sub(machine);
        Ok(())
    }
}

fn cells(case: &Case, path: &Path<'_>, seen: &mut Seen, own: f64, rounds: u32) -> [String; 8] {
    let value = median(&mut seen.values);
    let ratio = own / value;
    let goal = case.goals.iter().find(|(peer, _)| *peer == path.name).map(|(_, goal)| {
        let met = if case.lower { ratio <= *goal } else { ratio >= *goal };
        format!("{} {goal}: {}", if case.lower { "≤" } else { "≥" }, if met { "met" } else { "missed" })
    });
    [
        case.name.to_owned(),
        case.unit.to_owned(),
        path.name.to_owned(),
        format!("{value:.1}"),
        format!("{ratio:.2}"),
        path.process.map_or_else(|| "–".to_owned(), |_| format!("{:.2}", (seen.cpu / rounds).as_secs_f64())),
        format!("{:.2}", (seen.machine / rounds).as_secs_f64()),
        goal.unwrap_or_default(),
    ]
}
