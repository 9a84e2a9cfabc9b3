//! The node's own object: registered at start, its status kept current.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use xebec_api::object::Object;
use xebec_api::table;
use xebec_api::time::rfc3339;
use xebec_client::{Patch, Reason};
use xebec_runtime::NodeNetwork;

use crate::downward::Capacity;
use crate::eviction::Signal;
use crate::node_pressure::Pressure;
use crate::node_resources::Resources;
use crate::run::Agent;

/// Between two looks at a status that nothing changes.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Between two tries while no master takes it.
const RETRY: Duration = Duration::from_millis(500);

/// Registers the node and keeps its status; ends with the agent.
pub(crate) async fn keep(agent: Arc<Agent>) {
    let mut pressure = agent.pressure.subscribe();
    loop {
        pressure.mark_unchanged();
        let wait = match report(&agent).await {
            Ok(()) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!(%error, "the node's status was not taken");
                RETRY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // What the node is short of is told at once: a scheduler may be about to send it more.
            Ok(()) = pressure.changed() => {}
            () = agent.stop.cancelled() => return,
        }
    }
}

/// Writes what differs, and only fields that are the agent's own: others keep theirs.
async fn report(agent: &Agent) -> Result<(), xebec_client::ApiError> {
    let row = table::find("", "nodes").expect("a built-in kind");
    let name = &agent.config.name;
    let present = match agent.client.get(row, "", name).await {
        Ok(node) => node,
        Err(error) if error.reason == Reason::NotFound => agent.client.create(row, &fresh(agent)).await?,
        Err(error) => return Err(error),
    };
    let outdated = outdated(&present, labels(agent));
    if !outdated.is_empty() {
        let patch = Patch::Merge(json!({"metadata": {"labels": outdated}}));
        match agent.client.patch(row, "", name, &patch).await {
            Ok(_) => tracing::info!(node = name, labels = ?outdated, "the node's labels are told"),
            // The status does not depend on them.
            Err(error) if matches!(error.reason, Reason::Forbidden | Reason::Invalid) => {
                tracing::warn!(node = name, labels = ?outdated, %error, "labels of the configuration are refused");
            }
            Err(error) => return Err(error),
        }
    }
    let wanted = status(agent, &present, agent.clock.now());
    if is_current(&present, &wanted) {
        return Ok(());
    }
    agent.client.patch_subresource(row, "", name, "status", &Patch::Merge(json!({"status": wanted}))).await?;
    tracing::info!(node = name, "the node's status is told");
    Ok(())
}

/// The labels that every node has, and those of this one's configuration.
fn labels(agent: &Agent) -> BTreeMap<String, String> {
    let name = agent.config.name.as_str();
    let own =
        [("kubernetes.io/hostname", name), ("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")];
    let mut labels = BTreeMap::from(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels.extend(agent.config.labels.clone());
    labels
}

/// Those that the API has otherwise. Others' labels stay, and so do those that the
/// configuration names no more: nobody can tell whose they are.
fn outdated(present: &Object, mut wanted: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let said: BTreeMap<&str, &str> = present.labels().collect();
    wanted.retain(|key, value| said.get(key.as_str()) != Some(&value.as_str()));
    wanted
}

fn fresh(agent: &Agent) -> Object {
    let mut node = Object::default();
    node.set(&["apiVersion"], "v1");
    node.set(&["kind"], "Node");
    node.set(&["metadata"], json!({"name": agent.config.name, "labels": labels(agent)}));
    node.set(&["spec"], json!({}));
    node
}

fn status(agent: &Agent, present: &Object, now: Timestamp) -> Value {
    let resources = resources(agent);
    json!({
        "capacity": resources.told(),
        "allocatable": resources.allocatable(&agent.config.eviction).told(),
        "addresses": [
            {"type": "InternalIP", "address": agent.config.address},
            {"type": "Hostname", "address": agent.config.name},
        ],
        "nodeInfo": node_info(agent),
        "conditions": conditions(present, *agent.pressure.borrow(), &rfc3339(now)),
    })
}

fn node_info(agent: &Agent) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let release = read("/etc/os-release");
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let version = env!("CARGO_PKG_VERSION");
    json!({
        "architecture": "amd64", "operatingSystem": "linux",
        "bootID": read("/proc/sys/kernel/random/boot_id"), "machineID": agent.config.name, "systemUUID": agent.config.name,
        "kernelVersion": read("/proc/sys/kernel/osrelease"),
        "osImage": pretty.unwrap_or("Linux").trim_matches('"'),
        "containerRuntimeVersion": format!("xebec://{version}"),
        "kubeletVersion": format!("v{version}"), "kubeProxyVersion": "",
    })
}

/// The agent's conditions, with the others' kept. A time moves only with its status.
fn conditions(present: &Object, pressure: Pressure, now: &str) -> Vec<Value> {
    let mine = pressure.conditions();
    let old = present.get(&["status", "conditions"]).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all: Vec<Value> =
        old.iter().filter(|c| !mine.iter().any(|(kind, ..)| c["type"] == *kind)).cloned().collect();
    for (kind, status, reason, message) in mine {
        let before = old.iter().find(|c| c["type"] == kind && c["status"] == status);
        let since = before.and_then(|c| c["lastTransitionTime"].as_str()).unwrap_or(now);
        all.push(json!({
            "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
        }));
    }
    all
}

/// Whether everything that the agent wants said is said.
fn is_current(present: &Object, wanted: &Value) -> bool {
    let mut merged = present.get(&["status"]).cloned().unwrap_or(json!({}));
    let before = merged.clone();
    for (key, value) in wanted.as_object().into_iter().flatten() {
        merged[key] = value.clone();
    }
    merged == before
}

fn resources(agent: &Agent) -> Resources {
    Resources {
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: memory_bytes(),
        disk_bytes: agent.host.figures().get(&Signal::NodeFs).map(|disk| disk.capacity),
    }
}

/// What containers without a limit may use.
pub(crate) fn allocatable(agent: &Agent) -> Capacity {
    let Resources { cpus, memory_bytes, .. } = resources(agent).allocatable(&agent.config.eviction);
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Capacity { cpu_millis: signed(cpus as u64 * 1000), memory_bytes: signed(memory_bytes) }
}

/// What the host has.
pub(crate) fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(1 << 20) << 10
}

/// What the nodes' objects say of the pod network, from this node's side.
pub(crate) fn network(own: &str, nodes: &[Arc<Object>]) -> NodeNetwork {
    let mut network = NodeNetwork::default();
    for node in nodes {
        let cidrs = node.get(&["spec", "podCIDRs"]).and_then(Value::as_array);
        let cidrs = cidrs.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        if node.name() == own {
            network.pod_cidrs = cidrs.collect();
        } else if let Some(address) = internal_ip(node) {
            network.peers.extend(cidrs.map(|cidr| (cidr, address)));
        }
    }
    network.peers.sort();
    network
}

fn internal_ip(node: &Object) -> Option<IpAddr> {
    let addresses = node.get(&["status", "addresses"])?.as_array()?;
    addresses.iter().find(|a| a["type"] == "InternalIP")?["address"].as_str()?.parse().ok()
}
