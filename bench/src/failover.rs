//! From the leader's kill -9 to the next write that any master accepts, by a client that
//! keeps trying on a connection to another master.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use xebec_api::table;
use xebec_client::Settings;

use crate::Options;
use crate::masters::Masters;
use crate::process::cpu_of_machine;
use crate::report::{Report, verdict};
use crate::stats::{median, ms, percentile};
use crate::writes::config_map;

const GOAL_MS: f64 = 1500.0;
const KILLS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures and adds the table.
///
/// # Errors
/// When the masters do not come up, or take no write again.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    report.begin(
        "From the leader's kill -9 to the next accepted write",
        &["p50 ms", "most ms", "CPU s of the machine", "goal ms", ""],
    );
    let mut masters = Masters::boot(&options.xebec, 3).await?;
    let (mut times, mut spent) = (Vec::new(), Duration::ZERO);
    for kill in 0..KILLS * options.rounds {
        let leader = masters.leader((kill as usize) % 3).await?;
        let cpu = cpu_of_machine();
        times.push(ms(kill_and_write(&mut masters, leader, kill).await?));
        spent += cpu_of_machine() - cpu;
        masters.processes[leader] = masters.start(leader)?;
        masters.wait_for_voters(3).await?;
    }
    let (middle, most) = (median(&mut times), percentile(&mut times, 100));
    report.row([
        format!("{middle:.0}"),
        format!("{most:.0}"),
        format!("{:.2}", spent.as_secs_f64() / times.len() as f64),
        format!("< {GOAL_MS:.0}"),
        verdict(middle, GOAL_MS),
    ]);
    Ok(())
}

async fn kill_and_write(masters: &mut Masters, leader: usize, kill: u32) -> Result<Duration> {
    let row = table::find("", "configmaps").expect("a built-in kind");
    let settings = Settings { try_timeout: Duration::from_millis(500), ..Settings::default() };
    let client = masters.client((leader + 1) % 3)?.with_settings(settings);
    client.create(row, &config_map(&format!("before-{kill}"))?).await?;
    let start = Instant::now();
    masters.processes[leader].kill();
    for attempt in 0.. {
        match client.create(row, &config_map(&format!("after-{kill}-{attempt}"))?).await {
            Ok(_) => break,
            Err(error) if start.elapsed() > PATIENCE => return Err(error).context("no write is taken"),
            Err(_) => {}
        }
    }
    Ok(start.elapsed())
}
