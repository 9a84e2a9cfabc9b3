//! From exec to ready: a bootstrapped master until a linearizable read is answered, and
//! `xebec up` on an empty folder until its node is Ready.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tempfile::TempDir;
use xebec_api::table;
use xebec_client::{Client, Settings};

use crate::Options;
use crate::masters::{Masters, TICK};
use crate::node::wait_until_ready;
use crate::process::Process;
use crate::report::{Report, verdict};
use crate::stats::{median, ms};

const MASTER_GOAL_MS: f64 = 300.0;
const UP_GOAL_MS: f64 = 1000.0;
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures all and adds the table.
///
/// # Errors
/// When something does not come up.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    report.begin("From exec to ready", &["what", "ms", "CPU ms", "goal ms", ""]);
    let (mut again, mut fresh, mut cpu_again, mut cpu_fresh) = (vec![], vec![], vec![], vec![]);
    for _ in 0..options.rounds {
        let (took, cpu) = bootstrapped_master(&options.xebec).await?;
        again.push(took);
        cpu_again.push(cpu);
        let (took, cpu) = up(&options.xebec).await?;
        fresh.push(took);
        cpu_fresh.push(cpu);
    }
    row(report, "a bootstrapped master", &mut again, &mut cpu_again, MASTER_GOAL_MS);
    row(report, "`xebec up`, empty folder, node Ready", &mut fresh, &mut cpu_fresh, UP_GOAL_MS);
    Ok(())
}

fn row(report: &mut Report, what: &str, times: &mut [f64], cpu: &mut [f64], goal: f64) {
    let middle = median(times);
    report.row([
        what.to_owned(),
        format!("{middle:.0}"),
        format!("{:.0}", median(cpu)),
        format!("< {goal:.0}"),
        verdict(middle, goal),
    ]);
}

async fn bootstrapped_master(xebec: &Path) -> Result<(f64, f64)> {
    let mut masters = Masters::boot(xebec, 1).await?;
    masters.processes[0].kill();
    let client = impatient(masters.client(0)?);
    let start = Instant::now();
    masters.processes[0] = masters.start(0)?;
    until_it_answers(&client).await?;
    Ok((ms(start.elapsed()), ms(masters.processes[0].cpu())))
}

/// The same client, which gives up soon: it is asked again at once.
fn impatient(client: Client) -> Client {
    let settings = Settings { deadline: TICK, try_timeout: Duration::from_secs(1), ..Settings::default() };
    client.with_settings(settings)
}

async fn until_it_answers(client: &Client) -> Result<()> {
    let row = table::find("", "namespaces").expect("a built-in kind");
    let deadline = Instant::now() + PATIENCE;
    loop {
        match client.get(row, "", "default").await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error).context("it does not answer"),
            Err(_) => tokio::time::sleep(TICK).await,
        }
    }
}

async fn up(xebec: &Path) -> Result<(f64, f64)> {
    let folder = TempDir::with_prefix("xebec-bench-up-")?;
    let kubeconfig = folder.path().join("data/admin.kubeconfig");
    let mut command = Command::new(xebec);
    command.arg("up").arg("--data-dir").arg(folder.path().join("data"));
    let start = Instant::now();
    let process = Process::start(&mut command, &folder.path().join("log"))?;
    while !kubeconfig.exists() {
        anyhow::ensure!(start.elapsed() < PATIENCE, "no kubeconfig");
        tokio::time::sleep(TICK).await;
    }
    wait_until_ready(&Client::from_kubeconfig(&kubeconfig)?, PATIENCE).await?;
    Ok((ms(start.elapsed()), ms(process.cpu())))
}
