//! `xebec.node.v1.Stats`: what this node and its containers use. A rate needs two looks, so
//! each answer takes a second; nothing is measured while nobody asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Request, Response, Status};
use xebec_rpc::node::v1::stats_server::Stats;
use xebec_rpc::node::v1::{UsageRequest, UsageResponse, usage_response};
use xebec_rpc::v1;
use xebec_runtime::{ContainerUsage, Usage};

use crate::pod::machine::parse_run;
use crate::run::Agent;

/// Between the two looks.
const WINDOW: Duration = Duration::from_secs(1);
/// Nanoseconds of one tick of `/proc/stat`, which counts hundredths of a second on Linux.
const TICK_NS: u64 = 10_000_000;

/// The service.
pub(crate) struct StatsService(Arc<Agent>);

impl StatsService {
    pub(crate) fn new(agent: Arc<Agent>) -> Self {
        Self(agent)
    }

    async fn look(&self, node_only: bool) -> Result<Look, Status> {
        let containers =
            if node_only { Vec::new() } else { self.0.runtime.usage().await.map_err(unavailable)? };
        Ok(Look { at: Instant::now(), node: node_usage(), containers })
    }
}

fn unavailable(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

/// Everything at one moment.
struct Look {
    at: Instant,
    node: Usage,
    containers: Vec<ContainerUsage>,
}

#[tonic::async_trait]
impl Stats for StatsService {
    async fn usage(&self, request: Request<UsageRequest>) -> Result<Response<UsageResponse>, Status> {
        let node_only = request.into_inner().node_only;
        let before = self.look(node_only).await?;
        sleep(WINDOW).await;
        let after = self.look(node_only).await?;
        let sandboxes = self.0.runtime.list().await.map_err(unavailable)?;
        let pods: BTreeMap<&str, (&str, &str)> = sandboxes
            .iter()
            .map(|sandbox| (sandbox.pod_uid.as_str(), (sandbox.namespace.as_str(), sandbox.name.as_str())))
            .collect();
        let window = after.at.duration_since(before.at);
        let mut answer =
            UsageResponse { node: Some(rate(before.node, after.node, window)), ..Default::default() };
        for now in &after.containers {
            let (Some((namespace, pod)), Some((container, _))) =
                (pods.get(now.pod_uid.as_str()), parse_run(&now.id))
            else {
                continue;
            };
            let same = |then: &&ContainerUsage| then.pod_uid == now.pod_uid && then.id == now.id;
            let Some(then) = before.containers.iter().find(same) else { continue };
            answer.containers.push(usage_response::Container {
                namespace: (*namespace).to_owned(),
                pod: (*pod).to_owned(),
                container: container.to_owned(),
                usage: Some(rate(then.usage, now.usage, window)),
            });
        }
        Ok(Response::new(answer))
    }
}

/// What was used between two looks, for each second.
fn rate(before: Usage, after: Usage, window: Duration) -> v1::Usage {
    let spent = u128::from(after.cpu_ns.saturating_sub(before.cpu_ns));
    let per_second = spent * 1_000_000_000 / window.as_nanos().max(1);
    v1::Usage {
        cpu_nanocores: u64::try_from(per_second).unwrap_or(u64::MAX),
        memory_working_set_bytes: after.working_set_bytes,
    }
}

/// The whole host's.
fn node_usage() -> Usage {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    Usage { cpu_ns: busy_ns(&read("/proc/stat")), working_set_bytes: held_bytes(&read("/proc/meminfo")) }
}

/// Time in which processors were not idle. `cpu user nice system idle iowait irq softirq steal …`
fn busy_ns(stat: &str) -> u64 {
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).take(8).collect();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    ticks.iter().sum::<u64>().saturating_sub(idle).saturating_mul(TICK_NS)
}

fn held_bytes(meminfo: &str) -> u64 {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default()
    };
    of("MemTotal:").saturating_sub(of("MemAvailable:")).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_difference_of_two_looks() {
        let look = |cpu_ns, working_set_bytes| Usage { cpu_ns, working_set_bytes };
        let half = rate(look(1_000, 5), look(1_000_001_000, 7), Duration::from_secs(2));
        assert_eq!(half, v1::Usage { cpu_nanocores: 500_000_000, memory_working_set_bytes: 7 });
        // A container that began anew counts from its own beginning.
        assert_eq!(rate(look(9, 0), look(1, 0), WINDOW).cpu_nanocores, 0);
    }

    #[test]
    fn the_hosts_own_files_are_read() {
        assert_eq!(busy_ns("cpu  10 1 5 100 20 1 2 1 0 0\ncpu0 1 1\n"), 20 * TICK_NS);
        assert_eq!(held_bytes("MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n"), 600 * 1024);
        assert_eq!((busy_ns(""), held_bytes("")), (0, 0));
    }
}
