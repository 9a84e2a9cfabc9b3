//! How long a ready endpoint takes to be used: from a pod's status that a master accepted to
//! the first connection through each of two nodes' proxies, to the name in DNS, and to the
//! first answer through the ingress; and the same for its end. With 1,000 other Services.
//!
//! What is seen is seen by traffic: whoever looks asks again a millisecond after each answer.

mod cluster;
mod look;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::Options;
use crate::report::{Report, verdict};
use crate::stats::{ms, percentile};
use cluster::Cluster;
use look::{LOOKS, Look};

/// How often the endpoint comes and goes.
const CHANGES: usize = 100;
const GOAL_MS: f64 = 200.0;
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks of one who waits.
const TICK: Duration = Duration::from_millis(1);

/// The times of all changes of one kind: until both EndpointSlices say it, for each look, and
/// for the last of them.
struct Times {
    slices: Vec<f64>,
    each: [Vec<f64>; LOOKS.len()],
    all: Vec<f64>,
}

/// Measures and adds the table.
///
/// # Errors
/// When something does not come up, or a change is never seen.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let cluster = Cluster::start(options).await?;
    let (mut ready, mut gone) = (Times::new(), Times::new());
    // The first change finds cold caches, as no other does.
    cluster.change(true, &mut Times::new()).await?;
    for _ in 0..CHANGES {
        cluster.change(false, &mut gone).await?;
        cluster.change(true, &mut ready).await?;
    }
    report.begin(
        "From a pod's readiness accepted to its use, 1,000 Services, three masters",
        &["change", "seen by", "p50 ms", "p99 ms", "most ms", "goal of p99", ""],
    );
    ready.report(report, "ready", Some(GOAL_MS));
    gone.report(report, "not ready", None);
    Ok(())
}

impl Times {
    fn new() -> Self {
        Self { slices: Vec::new(), each: std::array::from_fn(|_| Vec::new()), all: Vec::new() }
    }

    fn report(&mut self, report: &mut Report, change: &str, goal: Option<f64>) {
        let names =
            ["a watch of the slices"].into_iter().chain(LOOKS.map(|look| look.name)).chain(["all of them"]);
        let times = [&mut self.slices].into_iter().chain(&mut self.each).chain([&mut self.all]);
        for (name, times) in names.zip(times) {
            let p99 = percentile(times, 99);
            report.row([
                change.to_owned(),
                name.to_owned(),
                format!("{:.1}", percentile(times, 50)),
                format!("{p99:.1}"),
                format!("{:.1}", percentile(times, 100)),
                goal.map(|goal| format!("≤ {goal:.0} ms")).unwrap_or_default(),
                goal.map(|goal| verdict(p99, goal)).unwrap_or_default(),
            ]);
        }
    }
}

impl Cluster {
    /// Changes the pod and notes when each sees it, counted from the write's acceptance.
    async fn change(&self, ready: bool, times: &mut Times) -> Result<()> {
        let slices = tokio::spawn(self.slices_say(ready));
        let watchers = LOOKS.map(|look| std::thread::spawn(move || wait_for(look, ready)));
        self.set_ready(ready).await?;
        let accepted = Instant::now();
        let after = |seen: Instant| ms(seen.saturating_duration_since(accepted));
        times.slices.push(after(slices.await??));
        let mut last: f64 = 0.0;
        for ((watcher, look), times) in watchers.into_iter().zip(LOOKS).zip(&mut times.each) {
            let seen = tokio::task::spawn_blocking(move || watcher.join()).await?;
            let seen = seen.map_err(|_| anyhow::anyhow!("{} panicked", look.name))?;
            let took = after(seen.context(look.name)?);
            times.push(took);
            last = last.max(took);
        }
        times.all.push(last);
        Ok(())
    }
}

/// When traffic first shows it.
fn wait_for(look: Look, ready: bool) -> Result<Instant> {
    look.enter()?;
    let deadline = Instant::now() + PATIENCE;
    while look.is_served()? != ready {
        ensure!(Instant::now() < deadline, "never saw the endpoint {}", if ready { "come" } else { "go" });
        std::thread::sleep(TICK);
    }
    Ok(Instant::now())
}
