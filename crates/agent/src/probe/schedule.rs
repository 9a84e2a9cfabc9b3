//! When a run is probed, and what follows from it: startup first, then readiness and
//! liveness side by side, each by its own thresholds.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::attempt::{seconds, try_once};
use super::{Known, Target, Verdict};

/// Between the first tries of a container that comes up: its first success should not wait
/// for a whole period.
const EAGER: Duration = Duration::from_millis(50);

pub(super) async fn watch(
    target: Target,
    container: Container,
    known: Known,
    verdicts: mpsc::Sender<Verdict>,
) {
    let prober = Prober { target, container, known, since: Instant::now(), verdicts };
    if let Some(probe) = prober.container.startup_probe.as_ref().filter(|_| !known.started) {
        if !prober.lasts_until("Startup", probe, Until::Success).await {
            prober.condemn("startup probe", probe).await;
            return;
        }
        prober.tell(Verdict::Started { run: prober.target.run.clone() }).await;
        if prober.container.readiness_probe.is_none() {
            prober.tell_ready(true).await;
        }
    }
    let readiness = async {
        match &prober.container.readiness_probe {
            Some(probe) => prober.readiness(probe).await,
            None => std::future::pending().await,
        }
    };
    let liveness = async {
        if let Some(probe) = &prober.container.liveness_probe {
            prober.lasts_until("Liveness", probe, Until::TooManyFailures).await;
            prober.condemn("liveness probe", probe).await;
        }
    };
    tokio::join!(readiness, liveness);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Success,
    TooManyFailures,
}

struct Prober {
    target: Target,
    container: Container,
    known: Known,
    /// When the probes began.
    since: Instant,
    verdicts: mpsc::Sender<Verdict>,
}

impl Prober {
    /// How long the container runs.
    fn age(&self) -> Duration {
        self.known.age + self.since.elapsed()
    }

    async fn initial_delay(&self, probe: &Probe) {
        sleep(seconds(probe.initial_delay_seconds, 0).saturating_sub(self.age())).await;
    }

    /// Probes on; whether it ended by a success, not by too many failures in a row.
    async fn lasts_until(&self, kind: &str, probe: &Probe, until: Until) -> bool {
        self.initial_delay(probe).await;
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            match try_once(&self.target, &self.container, probe).await {
                Ok(()) if until == Until::Success => return true,
                Ok(()) => failures = 0,
                Err(why) => {
                    failures += 1;
                    self.tell_unhealthy(kind, &why).await;
                    if failures >= probe.failure_threshold.unwrap_or(3) {
                        return false;
                    }
                }
            }
            self.next_try(probe, begun).await;
        }
    }

    /// A period is from one try to the next, however long a try takes: else one that hangs
    /// until its time is over would be made half as often.
    async fn next_try(&self, probe: &Probe, begun: Instant) {
        sleep(period(probe).saturating_sub(begun.elapsed())).await;
    }

    async fn readiness(&self, probe: &Probe) {
        self.initial_delay(probe).await;
        let (mut is_ready, mut was_ready, mut in_a_row) = (self.known.ready, self.known.ready, 0);
        // What fails while the container comes up is no news before a period is over.
        let mut told = Instant::now();
        loop {
            let begun = Instant::now();
            let outcome = try_once(&self.target, &self.container, probe).await;
            in_a_row = if outcome.is_ok() == is_ready { 0 } else { in_a_row + 1 };
            if let Err(why) = outcome
                && (was_ready || told.elapsed() >= period(probe))
            {
                told = Instant::now();
                self.tell_unhealthy("Readiness", &why).await;
            }
            if in_a_row >= threshold(probe, is_ready) {
                (is_ready, in_a_row) = (!is_ready, 0);
                was_ready |= is_ready;
                self.tell_ready(is_ready).await;
            }
            // Successes that are counted are a period apart, as failures are.
            match eager_pause(probe, self.age()).filter(|_| !was_ready && in_a_row == 0) {
                Some(pause) => sleep(pause).await,
                None => self.next_try(probe, begun).await,
            }
        }
    }

    async fn condemn(&self, failed: &'static str, probe: &Probe) {
        let run = self.target.run.clone();
        let grace_seconds = probe.termination_grace_period_seconds;
        self.tell(Verdict::Condemned { run, failed, grace_seconds }).await;
    }

    async fn tell_ready(&self, ready: bool) {
        self.tell(Verdict::Ready { run: self.target.run.clone(), ready }).await;
    }

    async fn tell_unhealthy(&self, kind: &str, why: &str) {
        let why = format!("{kind} probe failed: {why}");
        self.tell(Verdict::Unhealthy { run: self.target.run.clone(), why }).await;
    }

    async fn tell(&self, verdict: Verdict) {
        // A worker that is gone needs no verdict.
        let _ = self.verdicts.send(verdict).await;
    }
}

fn threshold(probe: &Probe, is_ready: bool) -> i32 {
    if is_ready { probe.failure_threshold.unwrap_or(3) } else { probe.success_threshold.unwrap_or(1) }
}

/// Between the end of a try and the next one while a container comes up: what a connection or
/// a request costs is spent soon, and then less and less often, up to the probe's own period.
/// A command costs more, and has its period from the first try on.
fn eager_pause(probe: &Probe, age: Duration) -> Option<Duration> {
    let pause = (age / 2).max(EAGER);
    Some(pause).filter(|pause| probe.exec.is_none() && *pause < period(probe))
}

fn period(probe: &Probe) -> Duration {
    seconds(probe.period_seconds, 10).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// When tries are made that do not succeed, in milliseconds of the container's life.
    fn tries(probe: &Probe, until_ms: u64) -> Vec<u64> {
        let (mut at, mut tries) = (Duration::ZERO, Vec::new());
        while at <= Duration::from_millis(until_ms) {
            tries.push(u64::try_from(at.as_millis()).expect("not for ever"));
            at += eager_pause(probe, at).unwrap_or(period(probe));
        }
        tries
    }

    #[test]
    fn requests_are_eager_at_first_and_commands_never() {
        let probe = |handler: &str| {
            serde_json::from_value(json!({handler: {"port": 1}, "periodSeconds": 2})).expect("a probe")
        };
        let early = [0, 50, 100, 150, 225, 337, 506, 759, 1139, 1708, 2562, 3844, 5766, 7766, 9766];
        for handler in ["httpGet", "tcpSocket", "grpc"] {
            assert_eq!(tries(&probe(handler), 9_999), early, "{handler}");
        }
        let exec: Probe =
            serde_json::from_value(json!({"exec": {"command": ["x"]}, "periodSeconds": 2})).expect("a probe");
        assert_eq!(tries(&exec, 9_999), [0, 2000, 4000, 6000, 8000]);
        let http: Probe = probe("httpGet");
        assert_eq!(eager_pause(&http, Duration::from_secs(99)), None, "it is old");
    }

    /// Somebody takes connections, and never answers.
    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_is_made_once_a_period() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let probe = json!({"httpGet": {"port": port}, "periodSeconds": 10, "timeoutSeconds": 8, "failureThreshold": 3});
        let container = |kind: &str| {
            serde_json::from_value::<Container>(json!({"name": "web", kind: probe})).expect("a container")
        };
        for (kind, wanted) in [("livenessProbe", "liveness probe"), ("startupProbe", "startup probe")] {
            let (verdicts, mut heard) = mpsc::channel(16);
            let target = Target {
                runtime: std::sync::Arc::new(xebec_runtime::fake::FakeRuntime::new()),
                pod_uid: "u1".into(),
                run: "web.0".into(),
                ip: Some([127, 0, 0, 1].into()),
            };
            let begun = Instant::now();
            let task = tokio::spawn(watch(target, container(kind), Known::default(), verdicts));
            loop {
                match heard.recv().await.expect("a verdict") {
                    Verdict::Condemned { failed, .. } => {
                        assert_eq!(failed, wanted);
                        break;
                    }
                    Verdict::Unhealthy { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            // Tries at 0, 10 and 20 seconds.
            let passed = begun.elapsed();
            assert!(
                (Duration::from_secs(28)..Duration::from_secs(30)).contains(&passed),
                "{kind}: {passed:?}"
            );
            task.abort();
        }
    }
}
