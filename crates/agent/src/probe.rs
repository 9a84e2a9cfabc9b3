//! Probes: one task a container's run, which tells its worker what it finds.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xebec_runtime::Runtime;

/// Between two tries of a container that has never been ready: its first success
/// should not wait for a whole period.
const EAGER: Duration = Duration::from_millis(50);
/// How long tries stay eager.
const EAGER_TRIES: u32 = 100;

/// What a probe found.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The run is ready, or is not any more.
    Ready { run: String, ready: bool },
    /// The run must end.
    Condemned { run: String, why: String },
}

/// What is probed.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) pod_uid: String,
    pub(crate) run: String,
    pub(crate) ip: Option<IpAddr>,
}

/// The tasks of a pod's probes, by run.
#[derive(Default)]
pub(crate) struct Running(BTreeMap<String, Vec<JoinHandle<()>>>);

impl Running {
    pub(crate) fn start(&mut self, target: Target, container: &Container, verdicts: mpsc::Sender<Verdict>) {
        let run = target.run.clone();
        let task = tokio::spawn(watch(target, container.clone(), verdicts));
        self.0.entry(run).or_default().push(task);
    }

    /// Ends the probes of runs that are none any more.
    pub(crate) fn keep(&mut self, runs: impl Fn(&str) -> bool) {
        self.0.retain(|run, tasks| {
            let keep = runs(run);
            if !keep {
                tasks.iter().for_each(JoinHandle::abort);
            }
            keep
        });
    }

    pub(crate) async fn stop(&mut self) {
        for task in std::mem::take(&mut self.0).into_values().flatten() {
            task.abort();
            // Cancelled is how it ends.
            let _ = task.await;
        }
    }
}

async fn watch(target: Target, container: Container, verdicts: mpsc::Sender<Verdict>) {
    if let Some(probe) = &container.startup_probe {
        if let Err(why) = started(&target, &container, probe).await {
            tell(&verdicts, Verdict::Condemned { run: target.run.clone(), why }).await;
            return;
        }
        if container.readiness_probe.is_none() {
            tell(&verdicts, Verdict::Ready { run: target.run.clone(), ready: true }).await;
        }
    }
    let readiness = async {
        match &container.readiness_probe {
            Some(probe) => ready(&target, &container, probe, &verdicts).await,
            None => std::future::pending().await,
        }
    };
    let liveness = async {
        match &container.liveness_probe {
            Some(probe) => alive(&target, &container, probe, &verdicts).await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(readiness, liveness);
}

async fn started(target: &Target, container: &Container, probe: &Probe) -> Result<(), String> {
    initial_delay(probe).await;
    let mut failures = 0;
    loop {
        match try_once(target, container, probe).await {
            Ok(()) => return Ok(()),
            Err(why) => {
                failures += 1;
                if failures >= probe.failure_threshold.unwrap_or(3) {
                    return Err(format!("Startup probe failed: {why}"));
                }
            }
        }
        tokio::time::sleep(period(probe)).await;
    }
}

async fn ready(target: &Target, container: &Container, probe: &Probe, verdicts: &mpsc::Sender<Verdict>) {
    initial_delay(probe).await;
    let (mut is_ready, mut was_ready, mut in_a_row, mut tries) = (false, false, 0, 0);
    loop {
        let success = try_once(target, container, probe).await.is_ok();
        in_a_row = if success == is_ready { 0 } else { in_a_row + 1 };
        let threshold = if is_ready {
            probe.failure_threshold.unwrap_or(3)
        } else {
            probe.success_threshold.unwrap_or(1)
        };
        if in_a_row >= threshold {
            (is_ready, in_a_row) = (!is_ready, 0);
            was_ready |= is_ready;
            tell(verdicts, Verdict::Ready { run: target.run.clone(), ready: is_ready }).await;
        }
        tries += 1;
        let eager = !was_ready && tries < EAGER_TRIES;
        tokio::time::sleep(if eager { EAGER } else { period(probe) }).await;
    }
}

async fn alive(target: &Target, container: &Container, probe: &Probe, verdicts: &mpsc::Sender<Verdict>) {
    initial_delay(probe).await;
    let mut failures = 0;
    loop {
        match try_once(target, container, probe).await {
            Ok(()) => failures = 0,
            Err(why) => {
                failures += 1;
                if failures >= probe.failure_threshold.unwrap_or(3) {
                    let why = format!("Liveness probe failed: {why}");
                    tell(verdicts, Verdict::Condemned { run: target.run.clone(), why }).await;
                    return;
                }
            }
        }
        tokio::time::sleep(period(probe)).await;
    }
}

async fn tell(verdicts: &mpsc::Sender<Verdict>, verdict: Verdict) {
    // A worker that is gone needs no verdict.
    let _ = verdicts.send(verdict).await;
}

async fn initial_delay(probe: &Probe) {
    tokio::time::sleep(seconds(probe.initial_delay_seconds, 0)).await;
}

fn period(probe: &Probe) -> Duration {
    seconds(probe.period_seconds, 10).max(Duration::from_secs(1))
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
}

async fn try_once(target: &Target, container: &Container, probe: &Probe) -> Result<(), String> {
    let timeout = seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1));
    if let Some(exec) = &probe.exec {
        let command = exec.command.clone().unwrap_or_default();
        let outcome = target.runtime.exec_sync(&target.pod_uid, &target.run, command, timeout).await;
        let outcome = outcome.map_err(|error| error.to_string())?;
        return match outcome.exit_code {
            0 => Ok(()),
            code => Err(format!("exit code {code}: {}", String::from_utf8_lossy(&outcome.output).trim())),
        };
    }
    let ip = target.ip.ok_or("the pod has no address")?;
    let attempt = async {
        if let Some(http) = &probe.http_get {
            let host = http.host.clone().unwrap_or_else(|| ip.to_string());
            let path = http.path.clone().unwrap_or_else(|| "/".to_owned());
            return get(&format!("http://{host}:{}{path}", port(container, &http.port)?)).await;
        }
        if let Some(tcp) = &probe.tcp_socket {
            let address = (ip, port(container, &tcp.port)?);
            return tokio::net::TcpStream::connect(address)
                .await
                .map(drop)
                .map_err(|error| error.to_string());
        }
        // A kind of probe that is not known here must not keep a pod from being ready.
        Ok(())
    };
    tokio::time::timeout(timeout, attempt).await.map_err(|_| format!("no answer within {timeout:?}"))?
}

fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let named = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name));
            named.map(|port| port.container_port)
        }
    };
    number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| format!("there is no port {port:?}"))
}

async fn get(url: &str) -> Result<(), String> {
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let answer = client.get(uri).await.map_err(|error| error.to_string())?;
    let code = answer.status().as_u16();
    if (200..400).contains(&code) {
        Ok(())
    } else {
        Err(format!("HTTP probe failed with statuscode: {code}"))
    }
}
