//! Nodes: how they are, what they have and what runs on them.

use anyhow::Result;
use serde_json::Value;
use xebec_api::object::Object;
use xebec_api::pod::{self, Resources};
use xebec_api::taint;
use xebec_client::ListParams;

use super::page::{Page, scalar};
use crate::asked;
use crate::session::Session;

/// The pods bound to it.
pub(super) async fn pods(session: &Session, node: &Object) -> Result<Vec<Object>> {
    let field_selector = format!("spec.nodeName={}", node.name());
    let params = ListParams { field_selector, ..ListParams::default() };
    let mut pods = session.client.list(asked::row("pods")?, "", &params).await?.items;
    pods.retain(|pod| !pod::is_terminal(pod));
    Ok(pods)
}

/// Describes it.
pub(super) fn describe(node: &Object, pods: &[Object], page: &mut Page) {
    page.head(node);
    let taints: Vec<String> = taint::taints(node)
        .into_iter()
        .map(|taint| {
            let equals = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
            format!("{}{equals}:{}", taint.key, taint.effect)
        })
        .collect();
    page.field("Taints", taints.join("\n"));
    let closed = scalar(node.get(&["spec", "unschedulable"]));
    page.field("Unschedulable", if closed.is_empty() { "false" } else { &closed });
    page.conditions(node);
    let addresses = node.get(&["status", "addresses"]).and_then(Value::as_array);
    let addresses = addresses.into_iter().flatten();
    let addresses = addresses.map(|a| format!("{}: {}", scalar(a.get("type")), scalar(a.get("address"))));
    page.field("Addresses", addresses.collect::<Vec<_>>().join("\n"));
    for (name, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        page.field(name, amounts(node.get(&["status", field])));
    }
    page.table("Allocated", &["RESOURCE", "REQUESTS", "LIMITS"], &allocated(node, pods));
    page.optional("System Info", amounts(node.get(&["status", "nodeInfo"])));
    page.optional("Pod CIDR", node.text(&["spec", "podCIDR"]));
    let rows: Vec<Vec<String>> = pods
        .iter()
        .map(|pod| {
            let [cpu, memory] = ["cpu", "memory"].map(|resource| requested(pod, resource));
            vec![pod.namespace().to_owned(), pod.name().to_owned(), pod::phase(pod).to_owned(), cpu, memory]
        })
        .collect();
    page.table("Pods", &["NAMESPACE", "NAME", "STATUS", "CPU REQUESTS", "MEMORY REQUESTS"], &rows);
}

/// What the pods ask for and may have, and how much that is of what the node has for them.
fn allocated(node: &Object, pods: &[Object]) -> Vec<Vec<String>> {
    let has = Resources::of(node.get(&["status", "allocatable"]));
    let (mut requests, mut limits) = (Resources::default(), Resources::default());
    for pod in pods {
        requests.add(&pod::requests(pod));
        let containers = pod.get(&["spec", "containers"]).and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            limits.add(&Resources::of(container.pointer("/resources/limits")));
        }
    }
    let share =
        |used: i128, of: i128| if of > 0 { format!(" ({}%)", used * 100 / of) } else { String::new() };
    let cpu = |it: &Resources| format!("{}m{}", it.cpu_millis, share(it.cpu_millis, has.cpu_millis));
    let memory =
        |it: &Resources| format!("{}Mi{}", it.memory_bytes >> 20, share(it.memory_bytes, has.memory_bytes));
    vec![
        vec!["cpu".to_owned(), cpu(&requests), cpu(&limits)],
        vec!["memory".to_owned(), memory(&requests), memory(&limits)],
    ]
}

fn amounts(map: Option<&Value>) -> String {
    let amounts = map.and_then(Value::as_object).into_iter().flatten();
    amounts.map(|(key, value)| format!("{key}: {}", scalar(Some(value)))).collect::<Vec<_>>().join("\n")
}

/// What the containers ask for, each as it is written.
fn requested(pod: &Object, resource: &str) -> String {
    let containers = pod.get(&["spec", "containers"]).and_then(Value::as_array);
    let pointer = format!("/resources/requests/{resource}");
    let amounts = containers.into_iter().flatten().map(|container| scalar(container.pointer(&pointer)));
    let amounts: Vec<String> = amounts.filter(|amount| !amount.is_empty()).collect();
    if amounts.is_empty() { "0".to_owned() } else { amounts.join("+") }
}
